"""Evidence about the difference of two revisions that may be looked at any number of times.

Shares. For a revision whose calls each fail with probability p, and any distribution W over t in 0..1,

    E(p) = integral of t^x (1-t)^(n-x) dW(t)  /  p^x (1-p)^(n-x)

with x failures in n calls is a martingale that begins at 1: the probability that it ever reaches 1/a is at most a, by
Ville's inequality (H. Robbins, Ann. Math. Statist. 41, 1970, section 2). So is the product of both revisions', whatever
decides which of them gets a call. A hypothesis about the difference holds many pairs (p, q); the product's smallest
value over them is an e-value for it, being at most the true pair's (L. Wasserman, A. Ramdas, S. Balakrishnan, PNAS 117,
2020, on mixtures; A. Ramdas, J. Ruf, M. Larsson, W. Koolen, arXiv:2009.03167, on such smallest values at any stopping
time). It is smallest where the likelihood of the hypothesis is largest: the cubic of O. Miettinen and M. Nurminen,
Statist. Med. 4, 1985, appendix. All is a function of the cumulative counts: two looks have nothing to remember.

Means. The empirical Bernstein bound for all times of S. R. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, Ann. Statist.
49, 2021, theorem 4, at a fixed centre and some fixed lambdas, with a union bound over these and over both revisions.

All functions take arrays (or numbers) and return one value for each element; logarithms are natural.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln, xlog1py, xlogy

Floats = NDArray[np.float64]

# Of a distribution W of Beta distributions: how many calls the earlier figures are worth, at most. Several, because
# today's share is near yesterday's, nobody knows how near; the widest one (Jeffreys) stays for the case that it is not.
STRENGTHS = (100.0, 1_000.0, 10_000.0)
JEFFREYS = 0.5
WIDE = 0.2

# Steps of the bound on a mean: small ones suit many calls, large ones few. Each costs log(6) once.
LAMBDAS = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8)


class Sample(NamedTuple):
    """Calls of one revision, and those of them that count. Fractions are allowed: see ``shared_out``."""

    trials: Floats
    hits: Floats

    @property
    def share(self) -> Floats:
        return _ratio(self.hits, self.trials)

    def shared_out(self, calls: int) -> "Sample":
        """The evidence left where up to *calls* may depend on each other in any way.

        With t for p, a call multiplies the evidence by L, whose mean is 1. For m calls that depend on each other, the
        m-th root of their product has a mean of at most the product of the m-th roots of the means (Hölder): 1 again.
        """
        return Sample(self.trials / calls, self.hits / calls)


class Moments(NamedTuple):
    """Values in 0..1 of one revision: how many, their sum, the sum of squared distances to a centre fixed before."""

    trials: Floats
    total: Floats
    spread: Floats

    @property
    def mean(self) -> Floats:
        return _ratio(self.total, self.trials)

    def shared_out(self, calls: int) -> "Moments":
        return Moments(self.trials / calls, self.total / calls, self.spread / calls)


class Beta(NamedTuple):
    weight: float
    a: float
    b: float


Prior = Sequence[Beta]


def prior(trials: float = 0.0, hits: float = 0.0) -> Prior:
    """Return where shares are looked for first: everywhere, and around *hits* in *trials* of earlier figures."""
    if trials < 1:
        return (Beta(1.0, JEFFREYS, JEFFREYS),)
    share = (hits + JEFFREYS) / (trials + 1)
    weight = (1 - WIDE) / len(STRENGTHS)
    near = [Beta(weight, min(calls, trials) * share, min(calls, trials) * (1 - share)) for calls in STRENGTHS]
    return (Beta(WIDE, JEFFREYS, JEFFREYS), *near)


def likelihood(sample: Sample, around: Prior) -> Floats:
    """Log of the sample's likelihood, averaged over *around*: the numerator of its evidence."""
    missed = sample.trials - sample.hits
    terms = [
        np.log(beta.weight)
        - betaln(beta.a, beta.b)
        + gammaln(beta.a + sample.hits)
        + gammaln(beta.b + missed)
        - gammaln(beta.a + beta.b + sample.trials)
        for beta in around
    ]
    return np.asarray(np.logaddexp.reduce(terms, axis=0), dtype=np.float64)


class Pair(NamedTuple):
    """Two revisions' samples of one share, and what both likelihoods come to."""

    base: Sample
    other: Sample
    numerator: Floats

    @classmethod
    def of(cls, base: Sample, other: Sample, around: Prior) -> "Pair":
        return cls(base, other, likelihood(base, around) + likelihood(other, around))

    def turned(self) -> "Pair":
        return Pair(self.other, self.base, self.numerator)

    def against_at_most(self, difference: Floats | float) -> Floats:
        """Log e-value against "other's share is at most base's + *difference*"; 0 where the shares agree with that."""
        return self._against(difference, self.other.share - self.base.share > difference)

    def against_at_least(self, difference: Floats | float) -> Floats:
        """Log e-value against "other's share is at least base's + *difference*"; 0 where the shares agree with that."""
        return self._against(difference, self.other.share - self.base.share < difference)

    def _against(self, difference: Floats | float, apart: NDArray[np.bool_]) -> Floats:
        """Where the shares seen fulfil the hypothesis, nothing is likelier than it: no evidence against it."""
        p = likeliest(self.base, self.other, difference)
        largest = _log_likelihood(self.base, p) + _log_likelihood(self.other, p + difference)
        known = (self.base.trials > 0) & (self.other.trials > 0)
        return np.where(apart & known, np.maximum(self.numerator - largest, 0.0), 0.0)


def likeliest(base: Sample, other: Sample, difference: Floats | float) -> Floats:
    """Return base's share that makes both samples likeliest where other's is *difference* above it."""
    n, m, x, y = base.trials, other.trials, base.hits, other.hits
    cubic = np.maximum(n + m, np.finfo(np.float64).tiny)
    square = ((m + 2 * n) * difference - n - m - x - y) / (3 * cubic)
    linear = ((n * difference - n - m - 2 * x) * difference + x + y) / cubic
    constant = x * difference * (1 - difference) / cubic
    q = square**3 - linear * square / 2 + constant / 2
    size = np.sqrt(np.maximum(square**2 - linear / 3, 1e-200))  # its cube must not vanish
    p = np.where(q >= 0, size, -size)
    angle = (np.pi + np.arccos(np.clip(q / p**3, -1.0, 1.0))) / 3
    low, high = np.maximum(0.0, -np.asarray(difference)), np.minimum(1.0, 1.0 - np.asarray(difference))
    return np.asarray(np.clip(2 * p * np.cos(angle) - square, low, high), dtype=np.float64)


def radius(values: Moments, rate: float) -> Floats:
    """How far the mean of *values* may be from what is expected, on one side, with probability *rate* at any look."""
    need = np.log(len(LAMBDAS) / rate)
    sums = [(need + (-np.log1p(-step) - step) * values.spread) / step for step in LAMBDAS]
    # A mean in 0..1 is off by 1 at most.
    return np.minimum(_ratio(np.minimum.reduce(sums), np.maximum(values.trials, 1e-9)), 1.0)


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.asarray(part / np.maximum(whole, np.finfo(np.float64).tiny), dtype=np.float64)


def _log_likelihood(sample: Sample, share: Floats) -> Floats:
    return np.asarray(
        xlogy(sample.hits, share) + xlog1py(sample.trials - sample.hits, -np.minimum(share, 1.0)), dtype=np.float64
    )
