import pytest

from mapper_training import intervals
from mapper_training.intervals import Ratio
from mapper_training.metrics import Outcome
from tests.fakes import measured

SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
ONES = (1.0,) * len(SHARES)


def outcome(vendor: str, right: bool = True, confidence: float = 1.0) -> Outcome:
    return Outcome(vendor, frozenset("A"), "A" if right else "B", confidence)


def test_the_interval_holds_the_figure_and_is_the_same_each_time() -> None:
    ends = intervals.interval(Ratio(SHARES, ONES))
    assert ends is not None
    low, high = ends
    assert min(SHARES) <= low < 0.75 < high <= max(SHARES)
    assert intervals.interval(Ratio(SHARES, ONES)) == ends


def test_one_vendor_says_nothing_of_others() -> None:
    assert intervals.interval(Ratio((0.5,), (1.0,))) is None
    found = intervals.difference(Ratio((0.5,), (1.0,)), Ratio((0.25,), (1.0,)))
    assert found == {"difference": 0.25, "low": None, "high": None}


def test_both_systems_are_taken_over_the_same_vendors() -> None:
    better = tuple(share + 0.1 for share in SHARES)
    found = intervals.difference(Ratio(better, ONES), Ratio(SHARES, ONES))
    assert found == {"difference": 0.1, "low": 0.1, "high": 0.1}


def test_who_wins_here_and_loses_there_may_be_no_better() -> None:
    found = intervals.difference(Ratio((0.9, 0.3, 0.9, 0.4), (1.0,) * 4), Ratio((0.5, 0.7, 0.6, 0.6), (1.0,) * 4))
    assert found["low"] is not None
    assert found["high"] is not None
    assert found["low"] < 0 < found["high"]


def test_every_word_counts_in_accuracy() -> None:
    words = [outcome("big")] * 9 + [outcome("small", right=False)]
    assert intervals.accuracy(words) == Ratio((9.0, 0.0), (9.0, 1.0))


def test_a_vendor_without_a_label_weighs_nothing_in_f1() -> None:
    words = [outcome("sure"), outcome("unsure", confidence=0.2)]
    assert intervals.macro_f1(words, 0.5) == Ratio((1.0, 0.0), (1.0, 0.0))


@pytest.mark.parametrize("system", measured.SYSTEMS)
def test_the_difference_to_itself_is_none(system: str) -> None:
    ratio = intervals.accuracy(measured.outcomes(system))
    assert intervals.difference(ratio, ratio) == {"difference": 0.0, "low": 0.0, "high": 0.0}
