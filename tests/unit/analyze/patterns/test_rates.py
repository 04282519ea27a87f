import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.analyze.patterns.found import corrected
from functions.analyze.patterns.rates import Compared, chance, compare, side


def compared(before: list[float], after: list[float], exposure: float = 1.0, later: float = 1.0) -> Compared:
    seen0, seen1 = np.array([before]), np.array([after])
    return compare(side(seen0, np.full_like(seen0, exposure)), side(seen1, np.full_like(seen1, later)))


def test_twice_the_rate_is_a_ratio_of_two() -> None:
    told = compared([100.0] * 28, [200.0] * 7)
    assert told.ratio[0] == pytest.approx(2)
    assert told.low[0] < 2 < told.high[0]
    assert told.low[0] > 1.8
    assert told.p[0] < 1e-12


def test_the_same_rate_is_no_finding() -> None:
    told = compared([10.0] * 28, [10.0] * 7)
    assert (told.ratio[0], told.p[0]) == (pytest.approx(1), pytest.approx(1))
    assert told.low[0] < 1 < told.high[0]


def test_few_counts_are_judged_by_the_binomial() -> None:
    """Ten against none on equal sides: 2 * 0.5 ** 10."""
    seen0, seen1 = np.zeros((1, 7)), np.array([[10.0, 0, 0, 0, 0, 0, 0]])
    p = chance(side(seen0, np.ones((1, 7))), side(seen1, np.ones((1, 7))))
    assert p[0] >= 2 * 0.5**10


def test_a_label_that_was_never_there_has_no_upper_bound() -> None:
    told = compared([0.0] * 28, [30.0] * 7, later=1.0)
    assert np.isinf(told.high[0])
    assert told.low[0] > 1
    assert told.p[0] < 1e-4


def test_days_that_vary_more_make_it_less_sure() -> None:
    calm = compared([100.0] * 28, [120.0] * 7)
    wild = compared([50.0, 150.0] * 14, [120.0] * 7)
    assert wild.p[0] > calm.p[0]
    assert wild.high[0] - wild.low[0] > calm.high[0] - calm.low[0]


@given(
    before=st.lists(st.integers(0, 500), min_size=7, max_size=28),
    after=st.lists(st.integers(0, 500), min_size=1, max_size=7),
    scale=st.integers(2, 50),
)
def test_scaling_counts_and_exposure_keeps_the_ratio(before: list[int], after: list[int], scale: int) -> None:
    if not sum(before):
        return
    one = compared([float(n) for n in before], [float(n) for n in after])
    many = compared([float(n * scale) for n in before], [float(n * scale) for n in after], scale, scale)
    assert many.ratio[0] == pytest.approx(one.ratio[0])
    assert one.low[0] <= one.ratio[0] <= one.high[0]
    assert 0 <= one.p[0] <= 1


def test_q_values_are_those_of_benjamini_and_hochberg() -> None:
    assert corrected([0.01, 0.02, 0.03, 0.5]) == pytest.approx([0.04, 0.04, 0.04, 0.5])
    dependent = corrected([0.01, 0.02, 0.03, 0.5], dependent=True)
    assert dependent[:3] == pytest.approx([0.04 * (1 + 1 / 2 + 1 / 3 + 1 / 4)] * 3)
    assert corrected([]).size == 0
