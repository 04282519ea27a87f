"""The steps of a rollout: the share of calls, in percent, that the canary gets."""

STEPS = (5, 25, 50, 100)
"""100: the field ``canaryTrafficPercent`` is removed, the canary is the model. 0: rolled back."""

FULL = STEPS[-1]


def next_step(percent: int) -> int:
    """Return the step after *percent*: the first share above it, so that a hand-set 10 goes on with 25.

    Raises:
        ValueError: *percent* is not a running canary's (1..99).
    """
    if not 0 < percent < FULL:
        raise ValueError("only a running canary has a next step")
    return next(step for step in STEPS if step > percent)
