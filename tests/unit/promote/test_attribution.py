"""Whose the failures are that name nobody."""

import numpy as np
import pytest

from functions.promote.attribution import share_out


@pytest.mark.parametrize(
    ("unknown", "stable", "candidate", "percent", "shares"),
    [
        pytest.param(0, 950, 50, 5, (0, 0), id="none to share"),
        pytest.param(100, 950, 50, 5, (95, 5), id="both fail alike"),
        pytest.param(10, 0, 0, 50, (5, 5), id="nobody answers"),
        pytest.param(100, 500, 400, 50, (50, 50), id="a little few may be chance"),
        pytest.param(200, 600, 400, 50, (0, 200), id="the candidate's answers are missing"),
        pytest.param(200, 400, 600, 50, (200, 0), id="the stable one's answers are missing"),
        pytest.param(300, 500, 300, 50, (50, 250), id="the gap first, the rest is the other's"),
        pytest.param(50, 950, 0, 5, (0, 50), id="the candidate answers nothing"),
    ],
)
def test_failures_without_a_name_fill_the_gap_that_chance_does_not_explain(
    unknown: int, stable: int, candidate: int, percent: int, shares: tuple[int, int]
) -> None:
    assert share_out(unknown, stable, candidate, percent) == shares


@pytest.mark.parametrize("percent", [5, 25, 50])
@pytest.mark.parametrize("unknown", [0, 1, 7, 1000])
@pytest.mark.parametrize(("stable", "candidate"), [(0, 0), (1, 0), (0, 1), (10_000, 500), (500, 10_000)])
def test_every_failure_is_somebodys_and_nobodys_twice(unknown: int, stable: int, candidate: int, percent: int) -> None:
    to_stable, to_candidate = share_out(unknown, stable, candidate, percent)
    assert to_stable + to_candidate == unknown
    assert min(to_stable, to_candidate) >= 0


def test_looking_every_minute_finds_no_gap_where_there_is_none() -> None:
    random = np.random.default_rng(20261123)
    for _ in range(100):
        unknown = stable = candidate = 0
        for _ in range(60):  # an hour at 300 calls a minute, one in a hundred fails alike
            mine, lost = random.binomial(300, 0.05), random.binomial(300, 0.01)
            stable, candidate, unknown = stable + 300 - mine, candidate + mine, unknown + lost
            assert share_out(unknown, stable, candidate, 5)[1] == round(unknown * 0.05)
