"""Whose the calls are that got no answer, and so no revision's name: see README.md, "Calls without an answer"."""

from math import log

import numpy as np
from scipy.special import xlog1py, xlogy

from .evidence import Sample, likelihood, prior
from .steps import STEPS

BY_CHANCE = 0.001
"""Probability that a rollout ever sees a gap where there is none, at all its looks together (Ville's inequality)."""
EXPECTED_CALLS = 1_000
"""How sure of the split the test is before it sees any calls; only how soon it notices depends on it."""


def share_out(unknown: int, stable: int, candidate: int, percent: int) -> tuple[int, int]:
    """Split *unknown* failed calls into the stable revision's and the candidate's.

    The gateway sends each call to the candidate with probability *percent*. Where both fail alike, so do the calls that
    were answered (*stable*, *candidate*), and each side has its share of the failures. Where one side's answers are far
    too few, they are missing among the failures: then the failures fill that gap first.
    """
    share = percent / 100
    answered = stable + candidate
    even = round(unknown * share)
    if not unknown or not answered:
        return unknown - even, even
    if _evidence_of_a_gap(answered, candidate, share) < log((len(STEPS) - 1) / BY_CHANCE):
        return unknown - even, even
    theirs = min(unknown, max(0, round(share * (answered + unknown)) - candidate))
    return unknown - theirs, theirs


def _evidence_of_a_gap(answered: int, candidate: int, share: float) -> float:
    """Log of the e-value against the split being *share*: the likelihood averaged over shares, over that of *share*."""
    seen = Sample(np.asarray(answered, dtype=np.float64), np.asarray(candidate, dtype=np.float64))
    averaged = float(likelihood(seen, prior(EXPECTED_CALLS, EXPECTED_CALLS * share)))
    return averaged - float(xlogy(candidate, share) + xlog1py(answered - candidate, -share))
