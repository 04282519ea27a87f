from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.orchestrate.detectors.condition import Condition, Pace
from llama_mapper.contracts.problems import ErrorCode

START = datetime(2026, 11, 23, tzinfo=UTC)
PACE = Pace()
ERROR: ErrorCode = "UNAVAILABLE"


def seen(probes: str) -> list[Condition]:
    """The conditions after each of *probes*: x is a failure, everything else a good one."""
    condition, after = Condition(), []
    for second, probe in enumerate(probes):
        condition = condition.after(ERROR if probe == "x" else None, PACE, START + timedelta(seconds=second))
        after.append(condition)
    return after


@pytest.mark.parametrize(
    ("probes", "statuses"),
    [
        (".", "h"),
        ("x", "d"),
        ("xx", "dd"),
        ("xxx", "ddu"),
        ("xx.xx", "ddhdd"),
        ("xxx.", "dduu"),
        ("xxx..", "dduuu"),
        ("xxx...", "dduuuh"),
        ("xxx..x..", "dduuuuuu"),
        ("xxx..x...", "dduuuuuuh"),
        ("xxx...x", "dduuuhd"),
    ],
)
def test_three_failures_take_it_out_and_three_good_probes_bring_it_back(probes: str, statuses: str) -> None:
    assert "".join(condition.status[0] for condition in seen(probes)) == statuses


def test_since_is_when_the_status_changed_and_the_last_error_stays_known() -> None:
    conditions = seen("..xxxx...")
    assert [(one.since or START).second for one in conditions] == [0, 0, 2, 2, 4, 4, 4, 4, 8]
    assert (conditions[1].last_error, conditions[-1].last_error, conditions[-1].failures) == (None, ERROR, 0)


def test_one_that_returns_is_probed_more_often_and_one_that_is_out_rests() -> None:
    waits = [condition.wait_seconds(PACE) for condition in seen(".xxx.x...")]
    assert waits == [30, 30, 30, 30, 5, 30, 5, 5, 30]


@given(st.text(alphabet=".x", max_size=60))
def test_it_is_out_exactly_when_the_last_run_of_three_was_of_failures(probes: str) -> None:
    runs = [run for run in (probes[i : i + 3] for i in range(len(probes) - 2)) if run in ("...", "xxx")]
    condition = seen(probes)[-1] if probes else Condition()
    assert condition.out == bool(runs and runs[-1] == "xxx")
    assert condition.failures == len(probes) - len(probes.rstrip("x"))


@given(st.text(alphabet=".x", min_size=1, max_size=20))
def test_a_condition_survives_being_kept(probes: str) -> None:
    condition = seen(probes)[-1]
    assert Condition.model_validate_json(condition.model_dump_json()) == condition
