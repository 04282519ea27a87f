"""Whose the calls are that got no answer, and so no revision's name: see README.md, "Calls without an answer"."""

from math import sqrt

FAR = 4.0
"""Standard deviations: chance alone is so far away once in 30,000 looks."""


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
    away = (candidate - share * answered) / sqrt(answered * share * (1 - share))
    if abs(away) <= FAR:
        return unknown - even, even
    theirs = min(unknown, max(0, round(share * (answered + unknown)) - candidate))
    return unknown - theirs, theirs
