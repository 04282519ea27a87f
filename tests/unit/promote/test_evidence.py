"""The evidence is what its formulas say, and its rates hold at all looks together."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import beta, binomtest

from functions.promote.evidence import Floats, Moments, Pair, Sample, likeliest, likelihood, prior, radius


def sample(trials: float, hits: float) -> Sample:
    return Sample(np.asarray(float(trials)), np.asarray(float(hits)))


def pair(base: tuple[float, float], other: tuple[float, float]) -> Pair:
    return Pair.of(sample(*base), sample(*other), prior())


samples = st.integers(1, 20_000).flatmap(lambda trials: st.tuples(st.just(trials), st.integers(0, trials)))
differences = st.floats(-0.9, 0.9)


def log_likelihood(each: tuple[int, int], share: float) -> float:
    trials, hits = each
    parts = ((hits, share), (trials - hits, 1 - share))
    return sum(count * (math.log(chance) if chance > 0 else -math.inf) for count, chance in parts if count)


@settings(max_examples=100, deadline=None)
@given(base=samples, other=samples, difference=differences)
def test_the_likeliest_share_is_what_a_search_finds(
    base: tuple[int, int], other: tuple[int, int], difference: float
) -> None:
    def cost(share: float) -> float:
        return -log_likelihood(base, share) - log_likelihood(other, min(max(share + difference, 0.0), 1.0))

    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    found = float(likeliest(sample(*base), sample(*other), difference))
    searched = minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-12})
    best = min(float(searched.fun), cost(low), cost(high))
    assert low <= found <= high
    assert cost(found) <= best + 1e-7 * (base[0] + other[0])  # of thousands of calls, far below one e-fold


def test_the_likelihood_is_the_integral_over_the_prior() -> None:
    around = prior(1_000, 50)

    def weighted(share: float) -> float:
        density = sum(each.weight * float(beta.pdf(share, each.a, each.b)) for each in around)
        return density * share**3 * (1 - share) ** 37

    integral = quad(weighted, 0, 1, points=[0.001, 0.03, 0.05, 0.07, 0.2], limit=500)[0]
    assert float(likelihood(sample(40, 3), around)) == pytest.approx(math.log(integral), abs=1e-4)


@pytest.mark.parametrize("earlier", [(0, 0), (5, 0), (1_000, 0), (1_000, 1_000), (10**9, 3)])
def test_every_prior_is_a_distribution(earlier: tuple[int, int]) -> None:
    around = prior(*earlier)
    assert sum(each.weight for each in around) == pytest.approx(1)
    assert all(each.a > 0 and each.b > 0 for each in around)


@settings(max_examples=50, deadline=None)
@given(base=samples, other=samples)
def test_no_evidence_speaks_both_against_more_and_against_less(base: tuple[int, int], other: tuple[int, int]) -> None:
    both = pair(base, other)
    assert min(float(both.against_at_most(0.0)), float(both.against_at_least(0.0))) == 0


@settings(max_examples=50, deadline=None)
@given(base=samples, other=samples, at=st.lists(differences, min_size=2, max_size=2).map(sorted))
def test_a_bolder_claim_is_easier_to_refute(base: tuple[int, int], other: tuple[int, int], at: list[float]) -> None:
    both = pair(base, other)
    assert float(both.against_at_most(at[0])) >= float(both.against_at_most(at[1])) - 1e-6
    assert float(both.against_at_least(at[1])) >= float(both.against_at_least(at[0])) - 1e-6


@settings(max_examples=50, deadline=None)
@given(base=samples, other=samples, difference=differences)
def test_turning_the_pair_turns_the_claim(base: tuple[int, int], other: tuple[int, int], difference: float) -> None:
    both = pair(base, other)
    turned = both.turned().against_at_least(-difference)
    assert float(both.against_at_most(difference)) == pytest.approx(float(turned), rel=1e-6, abs=1e-4)


def test_nothing_counted_is_no_evidence() -> None:
    for both in (pair((0, 0), (0, 0)), pair((100, 50), (0, 0)), pair((0, 0), (100, 0))):
        assert float(both.against_at_most(0.0)) == 0
        assert float(both.against_at_least(0.01)) == 0


def peeked(evidence: Floats, rate: float) -> None:
    """Fail unless the share of runs whose *evidence* ever refutes is at most *rate*, with its 95 % interval."""
    crossed = np.max(evidence, axis=1) >= math.log(1 / rate)
    assert binomtest(int(crossed.sum()), len(crossed)).proportion_ci(method="exact").high <= rate


@pytest.mark.parametrize(("share", "canary"), [(0.002, 0.05), (0.05, 0.5), (0.5, 0.05)])
def test_equal_shares_are_hardly_ever_called_different_at_any_of_three_hundred_looks(
    share: float, canary: float
) -> None:
    rng = np.random.default_rng(7)
    trials = rng.binomial(100, canary, (500, 300))
    base = Sample((100 - trials).cumsum(1) * 1.0, rng.binomial(100 - trials, share).cumsum(1) * 1.0)
    other = Sample(trials.cumsum(1) * 1.0, rng.binomial(trials, share).cumsum(1) * 1.0)
    both = Pair.of(base, other, prior(10_000, 10_000 * share))
    peeked(both.against_at_most(0.0), 0.05)


def test_a_difference_at_the_claim_is_hardly_ever_refuted() -> None:
    rng = np.random.default_rng(8)
    trials = rng.binomial(100, 0.05, (500, 300))
    base = Sample((100 - trials).cumsum(1) * 1.0, rng.binomial(100 - trials, 0.05).cumsum(1) * 1.0)
    other = Sample(trials.cumsum(1) * 1.0, rng.binomial(trials, 0.08).cumsum(1) * 1.0)
    both = Pair.of(base, other, prior(10_000, 500))
    peeked(both.against_at_least(0.03), 0.05)


def test_a_mean_stays_within_its_radius_at_all_looks() -> None:
    rng = np.random.default_rng(9)
    values = rng.beta(4.8, 1.2, (300, 1_000))
    count = np.broadcast_to(np.arange(1.0, 1_001.0), values.shape)
    found = Moments(count, values.cumsum(1), ((values - 0.7) ** 2).cumsum(1))  # a centre that is off
    within = radius(found, 0.05)
    assert (found.mean - 0.8 > within).any(axis=1).mean() <= 0.03
    assert (0.8 - found.mean > within).any(axis=1).mean() <= 0.03


def test_calls_that_end_alike_are_no_evidence_once_shared_out() -> None:
    rng = np.random.default_rng(10)
    hits = rng.binomial(20, 0.05, (500, 200)).cumsum(1) * 10.0
    fixed = Sample(np.broadcast_to(np.arange(1, 201) * 200.0, hits.shape), hits)
    other = Sample(np.broadcast_to(np.arange(1, 201) * 200.0, hits.shape), hits[::-1])
    taken = Pair.of(fixed, other, prior()).against_at_most(0.0)
    shared = Pair.of(fixed.shared_out(10), other.shared_out(10), prior()).against_at_most(0.0)
    assert (taken >= math.log(1 / 0.05)).any(axis=1).mean() > 0.2
    peeked(shared, 0.05)
