"""The gate promotes what is proven good, rolls back what is proven worse, and holds what is neither."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from functions.promote.judging import MARGINS, Reason, Rules, Verdict, judge
from functions.promote.measures import CONFIDENCE_EDGES, MEASURES, SHARES, Counts, Golden, Measure, Share

PASSED = Golden(gates_passed=Rules().gates)
USUAL = {"errors": 0.002, "slow": 0.05, "invalid": 0.003, "fallbacks": 0.03, "unsure": 0.15}
PILLARS = {"PII": 0.5, "HARM": 0.3, "SECURITY": 0.15}


def counted(
    calls: int, confidence_from: float = 0.6, pillars: dict[str, float] | None = None, **shares: float
) -> Counts:
    """*calls* calls as on a usual day, but for *shares*; confidences spread evenly from *confidence_from* to 1."""
    kept = {name: round(calls * share) for name, share in (USUAL | shares).items()}
    within = [max(0.0, edge - confidence_from) / (1 - confidence_from) for edge in CONFIDENCE_EDGES]
    answers = {name: math.floor(calls * share) for name, share in (pillars or PILLARS).items()}
    return Counts.model_validate(
        {"calls": calls, "confidence": [math.floor(calls * share) for share in within], "pillars": answers, **kept}
    )


def judged(
    canary: Counts, *, stable: Counts | None = None, golden: Golden | None = PASSED, percent: int = 5, **rules: Any
) -> Verdict:
    return judge(
        stable or counted(19 * canary.calls), canary, golden, Rules(**rules), percent=percent, elapsed_seconds=3_600
    )


def reason(verdict: Verdict, measure: str) -> Reason:
    return next(each for each in verdict.reasons if each.measure == measure)


@pytest.mark.parametrize(("percent", "following"), [(5, 25), (25, 50), (50, 100)])
def test_an_equal_canary_goes_on_once_there_are_enough_calls(percent: int, following: int) -> None:
    verdict = judged(counted(6_000), percent=percent)
    assert (verdict.decision, verdict.next_percent) == ("promote", following)
    assert [each.measure for each in verdict.reasons] == list(MEASURES)
    assert all(each.says == "fine" for each in verdict.reasons)


def test_too_few_calls_hold_and_say_how_many_are_missing() -> None:
    verdict = judged(counted(1_000))
    assert (verdict.decision, verdict.next_percent, verdict.asks) == ("hold", 5, False)
    open_ones = [each for each in verdict.reasons if each.says == "open"]
    assert verdict.reasons[: len(open_ones)] == tuple(open_ones)
    missing = max(each.missing_calls or 0 for each in open_ones)
    assert 0 < missing < 6_000
    assert judged(counted(1_000 + math.ceil(1.1 * missing))).decision == "promote"


WORSE: list[tuple[Measure, dict[str, Any]]] = [
    ("errors", {"errors": 0.05}),
    ("slow", {"slow": 0.12}),
    ("invalid", {"invalid": 0.03}),
    ("fallbacks", {"fallbacks": 0.08}),
    ("unsure", {"unsure": 0.25}),
    ("confidence", {"confidence_from": 0.3}),
    ("drift", {"pillars": {"PII": 0.2, "HARM": 0.6, "SECURITY": 0.15}}),
]


@pytest.mark.parametrize(("measure", "changed"), WORSE)
def test_each_measure_alone_rolls_back(measure: Measure, changed: dict[str, Any]) -> None:
    verdict = judged(counted(2_000, **changed))
    assert (verdict.decision, verdict.next_percent) == ("roll_back", 0)
    first = verdict.reasons[0]
    assert (first.measure, first.says) == (measure, "worse")
    assert first.difference is not None
    assert first.low is not None
    assert MARGINS[measure].tolerance < first.low <= first.difference
    assert [each.measure for each in verdict.reasons if each.says == "worse"] == [measure]


@pytest.mark.parametrize(("measure", "changed"), WORSE)
def test_a_measure_that_is_not_judged_does_not_count(measure: Measure, changed: dict[str, Any]) -> None:
    others = {name: margin for name, margin in MARGINS.items() if name != measure}
    assert judged(counted(8_000, **changed), margins=others).decision == "promote"


def test_drift_names_the_pillar_that_moved_most() -> None:
    drift = reason(judged(counted(2_000, pillars={"PII": 0.2, "HARM": 0.6, "SECURITY": 0.15})), "drift")
    assert drift.pillar in {"PII", "HARM"}
    assert drift.difference == pytest.approx(0.3, abs=0.02)


def test_a_pillar_that_only_one_side_answered_is_drift_too() -> None:
    drift = reason(judged(counted(2_000, pillars={"PII": 0.5, "HARM": 0.3, "QUALITY": 0.15})), "drift")
    assert drift.says == "worse"
    assert sorted((drift.stable or 0.0, drift.canary or 0.0)) == [0.0, pytest.approx(0.158, abs=0.002)]


def test_a_better_canary_is_promoted() -> None:
    better = counted(6_000, errors=0.0, slow=0.02, unsure=0.1, confidence_from=0.7)
    assert judged(better).decision == "promote"


def test_three_failures_in_thirty_calls_are_no_proof_but_ten_are() -> None:
    assert judged(counted(30, errors=0.1), stable=counted(570)).decision == "hold"
    assert judged(counted(30, errors=1 / 3), stable=counted(570)).decision == "roll_back"


def test_a_failed_gate_rolls_back_at_once() -> None:
    failed = Golden(gates_passed=("coverage",), gates_failed=("macro-f1",))
    verdict = judged(counted(0), golden=failed)
    assert verdict.decision == "roll_back"
    assert (verdict.reasons[0].measure, verdict.reasons[0].says, verdict.reasons[0].gates) == (
        "golden",
        "failed",
        ("macro-f1",),
    )


@pytest.mark.parametrize("golden", [None, Golden(), Golden(gates_passed=("coverage", "macro-f1"))])
def test_without_an_evaluation_it_goes_up_to_half_and_no_further(golden: Golden | None) -> None:
    assert judged(counted(6_000), golden=golden, percent=25).decision == "promote"
    verdict = judged(counted(6_000), golden=golden, percent=50)
    assert (verdict.decision, verdict.next_percent) == ("hold", 50)
    assert (verdict.reasons[0].measure, verdict.reasons[0].says) == ("golden", "missing")
    assert "expected-calibration-error" in verdict.reasons[0].gates


def test_after_the_time_limit_it_holds_and_asks() -> None:
    late = judge(counted(1_900), counted(100), PASSED, Rules(), percent=5, elapsed_seconds=86_400)
    assert (late.decision, late.next_percent, late.asks) == ("hold", 5, True)
    proven = judge(counted(190_000), counted(10_000), PASSED, Rules(), percent=5, elapsed_seconds=86_400)
    assert (proven.decision, proven.asks) == ("promote", False)


def test_a_step_has_a_shortest_time_and_fewest_calls() -> None:
    early = judge(counted(190_000), counted(10_000), PASSED, Rules(), percent=5, elapsed_seconds=299)
    assert (early.decision, early.reasons[0].measure) == ("hold", "time")
    few = judged(counted(6_000), min_calls=6_001)
    assert (few.decision, few.reasons[0].measure, few.reasons[0].missing_calls) == ("hold", "calls", 1)


@pytest.mark.parametrize("measure", ["confidence", "drift"])
def test_what_is_judged_but_not_counted_holds_for_ever_and_says_so(measure: Measure) -> None:
    bare: dict[str, Any] = {"pillars": {}} if measure == "drift" else {"confidence": ()}
    verdict = judged(counted(6_000).model_copy(update=bare), stable=counted(114_000).model_copy(update=bare))
    assert verdict.decision == "hold"
    assert (verdict.reasons[0].measure, verdict.reasons[0].says) == (measure, "missing")


def test_earlier_figures_save_calls() -> None:
    without = judged(counted(1_500), stable=counted(28_500))
    aimed = judge(
        counted(28_500), counted(1_500), PASSED, Rules(), percent=5, elapsed_seconds=3_600, before=counted(400_000)
    )
    assert (without.decision, aimed.decision) == ("hold", "promote")


def test_dependent_calls_need_as_many_times_the_calls() -> None:
    assert judged(counted(5_000)).decision == "promote"
    assert judged(counted(5_000), dependent_calls=10).decision == "hold"
    assert judged(counted(50_000), dependent_calls=10).decision == "promote"


@pytest.mark.parametrize("percent", [0, 100])
def test_only_a_running_canary_is_judged(percent: int) -> None:
    with pytest.raises(ValueError, match="running"):
        judge(Counts(), Counts(), None, Rules(), percent=percent, elapsed_seconds=0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"false_promotion": 0},
        {"false_rollback": 1},
        {"margins": {}},
        {"margins": {"errors": {"regression": 0.01, "tolerance": 0.01}}},
        {"margins": {"speed": {"regression": 0.01}}},
        {"dependent_calls": 0},
        {"surprise": 1},
    ],
)
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Rules.model_validate(wrong)


@st.composite
def figures(draw: st.DrawFn) -> Counts:
    """Counts with shares near the usual ones, where decisions are close, or anywhere."""
    calls, times = draw(st.integers(0, 50_000)), draw(st.sampled_from([0.5, 1.0, 1.0, 1.3, 5.0]))
    shares = {name: min(1.0, share * times) for name, share in USUAL.items()}
    return counted(calls, draw(st.sampled_from([0.5, 0.59, 0.6])), None, **shares)


def decided(stable: Counts, canary: Counts) -> str:
    return judge(stable, canary, PASSED, Rules(), percent=5, elapsed_seconds=3_600).decision


@settings(max_examples=15, deadline=None)
@given(same=figures())
def test_the_same_counts_on_both_sides_are_never_rolled_back(same: Counts) -> None:
    assert decided(same, same) != "roll_back"


@settings(max_examples=15, deadline=None)
@given(stable=figures(), canary=figures(), share=st.sampled_from(SHARES), more=st.integers(1, 2_000))
def test_a_worse_canary_is_never_judged_better(stable: Counts, canary: Counts, share: Share, more: int) -> None:
    worse = canary.model_copy(update={share: min(canary.calls, getattr(canary, share) + more)})
    order = ["roll_back", "hold", "promote"]
    assert order.index(decided(stable, worse)) <= order.index(decided(stable, canary))


@settings(max_examples=15, deadline=None)
@given(stable=figures(), canary=figures())
def test_ten_times_the_same_figures_decide_at_least_as_much(stable: Counts, canary: Counts) -> None:
    few, many = decided(stable, canary), decided(grown(stable, 10), grown(canary, 10))
    # A small loss that was fine may be proven in the end: rolling back comes first.
    assert few in ("hold", many) or (few, many) == ("promote", "roll_back")


def grown(counts: Counts, times: int) -> Counts:
    raised = {name: times * getattr(counts, name) for name in ("calls", *SHARES)}
    buckets = [times * count for count in counts.confidence]
    pillars = {name: times * count for name, count in counts.pillars.items()}
    return Counts.model_validate({**raised, "confidence": buckets, "pillars": pillars})


@settings(max_examples=15, deadline=None)
@given(stable=figures(), canary=figures())
def test_every_reason_is_finite_and_its_bounds_enclose_what_was_seen(stable: Counts, canary: Counts) -> None:
    verdict = judge(stable, canary, PASSED, Rules(), percent=5, elapsed_seconds=0)
    for each in verdict.reasons:
        if each.low is not None:
            assert each.difference is not None
            assert each.high is not None
            assert -1 <= each.low <= each.difference + 1e-6
            assert each.difference - 1e-6 <= each.high <= 1
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict
