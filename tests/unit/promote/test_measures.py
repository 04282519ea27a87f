"""Counts that cannot be are refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from functions.promote.measures import CONFIDENCE_EDGES, SHARES, Counts

BUCKETS = len(CONFIDENCE_EDGES)


@pytest.mark.parametrize("share", SHARES)
def test_no_share_can_be_more_than_the_calls(share: str) -> None:
    Counts.model_validate({"calls": 3, share: 3})
    with pytest.raises(ValidationError, match=share):
        Counts.model_validate({"calls": 3, share: 4})


@pytest.mark.parametrize(
    "wrong",
    [
        {"calls": -1},
        {"calls": 3, "pillars": {"PII": 2, "HARM": 2}},
        {"calls": 3, "pillars": {"pii": 1}},
        {"calls": 3, "confidence": (0,) * (BUCKETS - 1)},
        {"calls": 3, "confidence": (0,) * (BUCKETS - 1) + (4,)},
        {"calls": 3, "confidence": (1, *(0,) * (BUCKETS - 2), 1)},
        {"calls": 2.5},
        {"calls": float("nan")},
    ],
)
def test_figures_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Counts.model_validate(wrong)


def test_the_edges_end_at_one_in_equal_steps() -> None:
    assert CONFIDENCE_EDGES[0] == 0.05
    assert CONFIDENCE_EDGES[-1] == 1.0
    assert len(set(CONFIDENCE_EDGES)) == 20
