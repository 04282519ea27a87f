"""Each method on counts whose answer is known, with the near miss beside the hit."""

from datetime import timedelta

import numpy as np
import pytest

from functions.analyze.patterns.anomalies import anomalies
from functions.analyze.patterns.bursts import bursts
from functions.analyze.patterns.changes import changes
from functions.analyze.patterns.expecting import expect
from functions.analyze.patterns.found import Found
from functions.analyze.patterns.frequency import frequencies
from functions.analyze.patterns.lags import lags
from functions.analyze.patterns.seasons import seasons
from functions.analyze.patterns.table import Array

from .samples import BASELINE, PERIOD_START, known, name, poisson, table


def above(found: Found) -> float:
    assert found.high is not None
    return found.high


RATES = (20.0, 5.0, 2.0, 1.0, 10.0)


def test_a_burst_is_found_where_and_when_it_was() -> None:
    counts = poisson(RATES)
    counts[1, BASELINE + 40 : BASELINE + 46] *= 5
    made, expected = known(counts)
    found = bursts(made, expected, {}).found
    assert [one.names for one in found] == [(name(1),)]
    assert found[0].period.start - PERIOD_START == timedelta(hours=40)
    assert found[0].low < 5 < above(found[0])
    assert found[0].p <= found[0].q < 1e-6


def test_a_period_at_another_level_is_a_rate_and_no_burst() -> None:
    counts = poisson(RATES)
    counts[0, BASELINE:] = np.random.default_rng(2).poisson(50.0, counts.shape[1] - BASELINE)
    made, expected = known(counts)
    assert bursts(made, expected, {}).found == ()
    found = frequencies(made, expected).found
    assert [one.names for one in found] == [(name(0),)]
    assert found[0].size == pytest.approx(2.5, rel=0.1)
    assert found[0].low < 2.5 < above(found[0])


def test_a_rate_that_falls_is_found_too() -> None:
    counts = poisson(RATES)
    counts[4, BASELINE:] = np.random.default_rng(1).poisson(5.0, counts.shape[1] - BASELINE)
    (found,) = frequencies(*known(counts)).found
    assert found.size == pytest.approx(0.5, rel=0.1)


def test_more_requests_alone_are_no_rate() -> None:
    """Twice the traffic brings twice the labels."""
    counts = poisson(RATES)
    requests = np.full(counts.shape[1], 400.0)
    requests[BASELINE:] *= 2
    counts[:, BASELINE:] = np.random.default_rng(2).poisson(2 * np.array(RATES)[:, None], counts[:, BASELINE:].shape)
    made = table(counts, requests)
    assert frequencies(made, expect(made)).found == ()


def test_a_change_is_dated_to_the_hour() -> None:
    counts = poisson(RATES)
    counts[0, BASELINE + 84 :] = np.random.default_rng(3).poisson(60.0, counts.shape[1] - BASELINE - 84)
    made, expected = known(counts)
    told = changes(made, expected)
    assert [one.names for one in told.searched.found] == [(name(0),)]
    assert abs(told.cuts[0] - BASELINE - 84) <= 1
    assert told.searched.found[0].low < 3 < above(told.searched.found[0])
    assert bursts(made, expected, told.cuts).found == ()


def test_a_period_of_a_day_has_no_change_point() -> None:
    assert changes(*known(poisson(RATES, days=1))).searched.tested == frozenset()


def waves(period: int, depth: float) -> Array:
    hours = np.arange(BASELINE + 168)
    shape = 1 + depth * np.sin(2 * np.pi * hours / period)
    return np.random.default_rng(4).poisson(np.array(RATES)[:, None] * shape).astype(float)


def test_a_season_of_the_day_is_found_and_strong() -> None:
    found = [one for one in seasons(table(waves(24, 0.9))).found if one.names[0] == name(0)]
    assert [one.effect for one in found] == ["daily-seasonal-strength"]
    assert 0.8 < found[0].low <= found[0].size <= above(found[0]) <= 1


def test_a_season_of_the_week_is_found() -> None:
    effects = {one.effect for one in seasons(table(waves(168, 0.9))).found if one.names[0] == name(0)}
    assert "weekly-seasonal-strength" in effects


def test_a_season_that_the_requests_have_is_told_of_them_alone() -> None:
    hours = np.arange(BASELINE + 168)
    requests = np.random.default_rng(5).poisson(400 * (1 + 0.8 * np.sin(2 * np.pi * hours / 24))).astype(float)
    counts = np.random.default_rng(6).binomial(requests.astype(int), 0.1, (3, hours.size)).astype(float)
    assert {str(one.names[0]) for one in seasons(table(counts, requests)).found} == {"Requests"}


def test_no_season_is_found_in_noise() -> None:
    assert seasons(table(poisson(RATES))).found == ()


def linked(lag: int) -> Array:
    common = np.random.default_rng(8).normal(0, 0.6, BASELINE + 168)
    rates = np.array([10.0, 10.0, 10.0])[:, None] * np.exp([common, np.roll(common, lag), 0 * common])
    return np.random.default_rng(9).poisson(rates).astype(float)


def test_the_one_that_leads_is_named_first() -> None:
    (found,) = lags(*known(linked(3))).found
    assert (found.names, found.lag) == ((name(0), name(1)), 3)
    assert found.low < found.size < above(found)
    (back,) = lags(*known(linked(-3))).found
    assert (back.names, back.lag) == ((name(1), name(0)), 3)


def test_what_comes_together_does_not_lead() -> None:
    assert lags(*known(linked(0))).found == ()


def test_a_quarter_of_a_day_unlike_the_others_is_an_anomaly() -> None:
    counts = poisson((8.0,) * 30)
    counts[:10, BASELINE + 60 : BASELINE + 66] *= 3
    made = table(counts)
    (found,) = anomalies(made, expect(made, traffic=True)).found
    assert found.period.start - PERIOD_START == timedelta(hours=60)
    assert set(found.names) <= {name(row) for row in range(10)}
    assert 1 < found.low < found.size < above(found)


def test_quarters_like_the_others_are_none() -> None:
    made = table(poisson((8.0,) * 30))
    assert anomalies(made, expect(made, traffic=True)).found == ()


def test_what_is_expected_follows_hours_and_traffic() -> None:
    counts = waves(24, 0.5)
    expected = expect(table(counts))
    assert expected.mean[:, :BASELINE].sum(1) == pytest.approx(counts[:, :BASELINE].sum(1), rel=0.05)
    assert expected.mean[0].max() / expected.mean[0].min() == pytest.approx(3, rel=0.2)
    assert expected.spread(24).max() < 0.05
