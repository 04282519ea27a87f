import pytest

from mapper_training import metrics
from mapper_training.metrics import Outcome


def outcome(gold: str, chosen: str | None, confidence: float = 1.0, vendor: str = "v") -> Outcome:
    return Outcome(vendor, frozenset(gold.split()), chosen, confidence)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([outcome("A", "A"), outcome("B", "B")], 1.0),
        ([outcome("A", "A"), outcome("B", "A")], 1 / 3),  # A: 2/3, B: 0
        ([outcome("A", "A"), outcome("B", None)], 0.5),
        ([outcome("A C", "C")], 1.0),  # any of several targets is a hit
        ([outcome("", None)], 0.0),  # nothing meant, nothing said: no label to measure
        ([outcome("", "A")], 0.0),
        ([], 0.0),
    ],
)
def test_macro_f1(outcomes: list[Outcome], expected: float) -> None:
    assert metrics.macro_f1(outcomes) == pytest.approx(expected)


def test_an_answer_below_the_threshold_is_missing() -> None:
    assert metrics.macro_f1([outcome("A", "A", 0.4)], threshold=0.5) == 0.0


def test_every_vendor_counts_the_same() -> None:
    many, one = [outcome("A", "A", vendor="big")] * 9, [outcome("A", "B", vendor="small")]
    assert metrics.over_vendors([*many, *one], metrics.accuracy) == 0.5


@pytest.mark.parametrize(
    ("gold", "chosen", "right"), [("A", "A", True), ("A", None, False), ("", None, True), ("", "A", False)]
)
def test_an_answer_is_right_or_not(gold: str, chosen: str | None, right: bool) -> None:
    assert outcome(gold, chosen).right is right


@pytest.mark.parametrize(
    ("gold", "chosen", "expected"),
    [("P.C.E", "P.C.E", 1.0), ("P.C.E", "P.C", 0.8), ("P.C.E", "H", 0.0), ("P.C.E H", "H", 1.0), ("P", None, 0.0)],
)
def test_a_parent_is_partly_right(gold: str, chosen: str | None, expected: float) -> None:
    assert metrics.hierarchical_f1([outcome(gold, chosen)]) == pytest.approx(expected)


def test_coverage_counts_trusted_labels_only() -> None:
    assert metrics.coverage(
        [outcome("A", "A", 0.9), outcome("A", "A", 0.5), outcome("A", None, 0.9)], 0.6
    ) == pytest.approx(1 / 3)


def test_nothing_said_is_nothing_wrong() -> None:
    assert metrics.precision([outcome("A", "B", 0.1)], 0.6) == 1.0


def test_the_threshold_for_a_coverage_covers_it() -> None:
    outcomes = [outcome("A", "A", c / 10) for c in range(1, 11)]
    assert metrics.coverage(outcomes, metrics.threshold_for(outcomes, 0.8)) == pytest.approx(0.8)


def test_a_system_that_says_too_little_is_taken_whole() -> None:
    assert metrics.threshold_for([outcome("A", "A", 0.9), outcome("A", None)], 0.9) == 0.0


def test_risk_rises_where_the_unsure_are_wrong() -> None:
    curve = metrics.risk_coverage([outcome("A", "A", 0.9), outcome("A", "B", 0.2)], points=2)
    assert curve == [(0.5, 0.0), (1.0, 0.5)]


def test_an_honest_confidence_has_no_error() -> None:
    outcomes = [outcome("A", "A", 0.75)] * 3 + [outcome("A", "B", 0.75)]
    assert metrics.calibration_error(outcomes) == pytest.approx(0.0)


def test_a_boast_is_an_error() -> None:
    assert metrics.calibration_error([outcome("A", "B", 1.0)]) == pytest.approx(1.0)


def test_the_reliability_bins_hold_every_answer() -> None:
    bins = metrics.reliability([outcome("A", "A", 1.0), outcome("A", "B", 0.01), outcome("A", None)])
    assert bins == [(0.01, 0.0, 1), (1.0, 1.0, 1)]


def test_abstaining_is_not_giving_a_label() -> None:
    assert metrics.abstained([outcome("", None), outcome("", "A", 0.3), outcome("", "A", 0.9)], 0.6) == pytest.approx(
        2 / 3
    )
