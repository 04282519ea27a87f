"""What is in record's rows after a crash run: lost, doubled, out of order; and what record said it was sent."""

import json
from dataclasses import dataclass
from pathlib import Path

from functions.record.adapters import ClickHouse
from tests.performance.crash_load import Plan

TABLES = ("requests", "findings", "mappings", "analyses")


@dataclass(frozen=True)
class Found:
    lost: int
    lost_replies: int
    rows: dict[str, int]
    """Rows of each table, and how many there should be."""
    expected: dict[str, int]
    out_of_order: int
    """Neighbours in time of one tenant whose sequence numbers fall."""


async def check(rows: Path, plan: Plan) -> Found:
    store = ClickHouse(f"chdb:///{rows}", retention_days=90)
    try:
        kept = {
            row["event_id"] for row in await store.query("SELECT event_id FROM requests FINAL", {})
        }  # a set: rows are counted below
        counts = {
            table: int((await store.query("SELECT count() AS n FROM {t:Identifier} FINAL", {"t": table}))[0]["n"])
            for table in TABLES
        }
        answered = {row["r"] for row in await store.query("SELECT request_id AS r FROM analyses FINAL", {})}
        falls = await store.query(_FALLS, {})
    finally:
        store.close()
    wanted = {plan.event_id(number) for number in range(plan.events)}
    replies = {f"req-{one}" for one in wanted if one.startswith("a-")}
    return Found(
        lost=len(wanted - kept),
        lost_replies=len(replies - answered),
        rows=counts,
        expected=dict.fromkeys(TABLES, plan.events) | {"analyses": len(replies)},
        out_of_order=int(falls[0]["n"]),
    )


_FALLS = """
SELECT countIf(sequence < before) AS n FROM (
    SELECT toUInt64(splitByChar('-', event_id)[3]) AS sequence,
        lagInFrame(sequence) OVER (PARTITION BY tenant_id ORDER BY recorded_at, sequence) AS before
    FROM requests FINAL
)
"""


def said(log: Path) -> dict[str, int]:
    """How often record said that an event was new, and that it was known."""
    counts = {"findings.recorded": 0, "findings.known": 0, "analysis.recorded": 0, "analysis.known": 0}
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                event = json.loads(line).get("event")
            except ValueError:  # the line that a kill cut off
                continue
            if event in counts:
                counts[event] += 1
    return counts
