from datetime import date, timedelta

import pytest

from functions.console import views
from llama_mapper.contracts.records import Count, DayCount
from llama_mapper.taxonomy import Taxonomy

FIRST = date(2026, 11, 1)


def day(number: int, requests: int) -> DayCount:
    return DayCount(day=FIRST + timedelta(days=number), requests=requests, findings=0)


def test_longest_bar_is_the_whole_width_and_the_shortest_can_be_seen() -> None:
    bars = views.bars([Count(name="a", count=1000), Count(name="b", count=500), Count(name="c", count=1)], 3)
    assert [bar.percent for bar in bars] == [100, 50, 2]


def test_chart_has_no_more_bars_than_asked() -> None:
    assert len(views.bars([Count(name="a", count=1)] * 5, 2)) == 2


def test_day_without_requests_leaves_a_gap() -> None:
    columns = views.columns([day(0, 4), day(9, 2)])
    assert [(column.left, column.height) for column in columns] == [(0, 100), (90, 50)]


def test_single_day_stands_at_the_end_of_a_week() -> None:
    (column,) = views.columns([day(0, 4)])
    assert column.left + column.width == pytest.approx(100, abs=100 / 7)
    assert column.width < 100 / 7


@pytest.mark.parametrize(("count", "whole", "percent"), [(1, 4, 25), (0, 0, 0), (3, 0, 0), (5, 4, 100)])
def test_percent_stays_within_the_picture(count: int, whole: int, percent: float) -> None:
    assert views.percent(count, whole) == percent


def test_worst_comes_first_and_an_unknown_name_last() -> None:
    counts = [Count(name=name, count=1) for name in ("low", "new", "critical", "none")]
    assert [c.name for c in views.in_order(counts, views.SEVERITIES)] == ["critical", "low", "none", "new"]


def test_tree_holds_every_label_once(taxonomy: Taxonomy) -> None:
    def names(branches: list[views.Branch]) -> list[str]:
        return [name for b in branches for name in (b.label.name, *names(b.children))]

    assert sorted(names(views.tree(taxonomy))) == sorted(label.name for label in taxonomy.labels)
    assert sum(branch.size for branch in views.tree(taxonomy)) == len(taxonomy.labels)
