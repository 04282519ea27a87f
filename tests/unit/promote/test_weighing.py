"""Every measure gets its part of the error rates, and more of what is bad never looks better."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.promote.evidence import Floats, Sample
from functions.promote.measures import CONFIDENCE_EDGES, MEASURES, Counts
from functions.promote.rules import MARGINS, Margin, Rules
from functions.promote.weighing import USUAL_CONFIDENCE, Figures, Weighed, moments, rates, usual_confidence, weigh

ERRORS = {"errors": Margin(regression=0.02)}
NO_BUCKETS = np.zeros(len(CONFIDENCE_EDGES))


def figures(trials: int, hits: Floats | int, pillars: dict[str, Floats] | None = None) -> Figures:
    calls = np.asarray(float(trials))
    answers = {name: Sample(calls, count) for name, count in (pillars or {}).items()}
    return Figures({"errors": Sample(calls, np.asarray(hits, dtype=float))}, answers, moments(NO_BUCKETS, 0.0))


def errors(stable: Figures, canary: Figures, before: Figures | None, rules: Rules) -> Weighed:
    return next(iter(weigh(stable, canary, before, rules)))


def test_each_rate_is_split_so_that_a_rollouts_sum_is_the_configured_one() -> None:
    rules = Rules(false_promotion=0.06, false_rollback=0.021)
    parts = {measure: rates(rules, measure) for measure in MEASURES}
    assert all(part.promotion == pytest.approx(0.02) for part in parts.values())
    tests = {measure: 2 * rules.pillars if measure == "drift" else 1 for measure in MEASURES}
    assert 3 * sum(parts[measure].rollback * tests[measure] for measure in MEASURES) == pytest.approx(0.021)


@settings(max_examples=60, deadline=None)
@given(
    calls=st.integers(1, 100_000),
    share=st.floats(0, 0.5),
    canary=st.integers(1, 3_000),
    before=st.none() | st.tuples(st.integers(1, 100_000), st.floats(0, 0.5)),
    tolerance=st.sampled_from([0.0, 0.01]),
    dependent_calls=st.sampled_from([1, 7]),
)
def test_more_errors_of_the_canary_never_undo_a_rollback_or_earn_a_promotion(
    calls: int, share: float, canary: int, before: tuple[int, float] | None, tolerance: float, dependent_calls: int
) -> None:
    """All numbers of errors that there can be, at once."""
    margins = {"errors": Margin(regression=0.02, tolerance=tolerance)}
    rules = Rules.model_validate({"margins": margins, "dependent_calls": dependent_calls})
    earlier = figures(before[0], int(before[0] * before[1])) if before else None
    found = errors(figures(calls, int(calls * share)), figures(canary, np.arange(canary + 1.0)), earlier, rules)
    assert not (found.worse[:-1] & ~found.worse[1:]).any()
    assert not (~found.fine[:-1] & found.fine[1:]).any()
    assert not (found.worse & (np.arange(canary + 1) / canary <= int(calls * share) / calls)).any()


@settings(max_examples=30, deadline=None)
@given(calls=st.integers(1, 10**7), share=st.floats(0, 1))
def test_equal_shares_are_no_evidence_of_worse_at_any_size(calls: int, share: float) -> None:
    same = figures(calls, int(calls * share))
    found = errors(same, same, None, Rules(margins=ERRORS))
    assert found.log_worse is not None
    assert float(found.log_worse) == 0


@pytest.mark.parametrize(("rise", "worse"), [(0.3, True), (-0.3, True), (0.02, False), (-0.02, False)])
def test_drift_counts_both_ways(rise: float, worse: bool) -> None:
    stable = figures(20_000, 0, {"PII": np.asarray(10_000.0)})
    canary = figures(1_000, 0, {"PII": np.asarray(1_000 * (0.5 + rise))})
    (found,) = weigh(stable, canary, None, Rules(margins={"drift": MARGINS["drift"]}))
    assert (found.pillar, bool(found.worse)) == ("PII", worse)


def test_the_centre_of_the_spread_is_what_was_known_before() -> None:
    assert usual_confidence(None) == USUAL_CONFIDENCE
    assert usual_confidence(Counts(calls=3)) == USUAL_CONFIDENCE
    halves = (0,) * 9 + (3,) * 11
    assert usual_confidence(Counts(calls=3, confidence=halves)) == pytest.approx(0.475)


def test_buckets_give_the_mean_of_their_middles() -> None:
    counts = np.zeros(20)
    counts[[1, 19]] = 1, 3
    found = moments(counts, 0.5)
    assert float(found.mean) == pytest.approx((0.075 + 3 * 0.975) / 4)
    assert float(found.spread) == pytest.approx(0.425**2 + 3 * 0.475**2)
