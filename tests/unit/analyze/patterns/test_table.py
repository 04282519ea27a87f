from datetime import timedelta

import numpy as np
import pytest

from functions.analyze.patterns.table import blocks, table_of
from llama_mapper.contracts.series import Series, SeriesAnswer
from tests.fakes.seasonal_counts import PERIOD_START


def answer(requests: list[int], *series: tuple[str, dict[int, int]], before: int) -> SeriesAnswer:
    return SeriesAnswer.model_validate(
        {
            "query": "requests-with-source",
            "bucket": "hour",
            "start": PERIOD_START - timedelta(hours=before),
            "buckets": len(requests),
            "requests": requests,
            "left_out": 0,
            "series": [
                Series.model_validate({"label": label, "detector": "d", "at": list(at), "counts": list(at.values())})
                for label, at in series
            ],
        }
    )


def test_hours_without_a_count_are_zero() -> None:
    table = table_of(answer([3, 3, 3, 3], ("PII", {1: 2, 3: 1}), before=2), PERIOD_START)
    assert table.counts.tolist() == [[0, 2, 0, 1]]
    assert (table.split, table.hours, table.start) == (2, 4, PERIOD_START - timedelta(hours=2))


def test_hours_before_the_first_request_and_after_the_last_are_no_silence() -> None:
    table = table_of(answer([0, 0, 5, 0, 5, 0], ("PII", {2: 1}), before=4), PERIOD_START)
    assert table.requests.tolist() == [5, 0, 5]
    assert (table.split, table.start) == (2, PERIOD_START - timedelta(hours=2))


def test_series_stand_in_the_order_of_their_names() -> None:
    table = table_of(answer([9, 9], ("SECRET", {0: 9}), ("PII", {0: 4}), before=1), PERIOD_START)
    assert [one.label for one in table.names] == ["PII", "SECRET"]
    assert table.counts[:, 0].tolist() == [4, 9]


@pytest.mark.parametrize(("before", "after", "enough"), [(168, 1, True), (167, 1, False), (168, 0, False)])
def test_a_week_of_baseline_and_an_hour_of_the_period_are_the_least(before: int, after: int, enough: bool) -> None:
    table = table_of(answer([1] * (before + after), ("PII", {0: 1}), before=before), PERIOD_START)
    assert table.enough is enough


def test_a_tenant_without_requests_has_nothing_to_test() -> None:
    assert not table_of(answer([0] * 400, before=200), PERIOD_START).enough


def test_blocks_are_whole_and_counted_from_the_split() -> None:
    before, after = blocks(np.arange(10.0)[None, :], 5, 2)
    assert before.tolist() == [[1 + 2, 3 + 4]]
    assert after.tolist() == [[5 + 6, 7 + 8]]
