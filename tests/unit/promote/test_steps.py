"""A canary's share grows in four steps."""

import pytest

from functions.promote.steps import next_step


@pytest.mark.parametrize(("percent", "following"), [(5, 25), (25, 50), (50, 100), (1, 5), (10, 25), (99, 100)])
def test_the_next_step_is_the_first_above(percent: int, following: int) -> None:
    assert next_step(percent) == following


@pytest.mark.parametrize("percent", [0, 100, -5, 101])
def test_only_a_running_canary_has_a_next_step(percent: int) -> None:
    with pytest.raises(ValueError, match="running"):
        next_step(percent)
