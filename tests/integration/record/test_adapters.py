import asyncio
from collections.abc import Callable
from pathlib import Path

import clickhouse_connect
import pytest

from functions.record.adapters import TABLES, ClickHouse
from functions.record.rows import FindingRow, RequestRow, stamp
from functions.record.service import record_analysis, record_budget_alert, record_canary_step, record_findings
from llama_mapper.contracts.problems import Unavailable
from tests.unit.record import samples

OpenStore = Callable[..., ClickHouse]


async def count(store: ClickHouse, table: str) -> int:
    found = await store.query("SELECT count() AS rows FROM {table:Identifier} FINAL", {"table": table})
    return int(found[0]["rows"])


async def keep_all(store: ClickHouse) -> None:
    for name in ("orchestrate", "producer"):
        await record_findings(*samples.findings(name), store, samples.CORRELATION, samples.NOW)
    for name in ("controls", "nothing-found"):
        await record_analysis(*samples.analysis(name), store, samples.CORRELATION, samples.NOW)
    await record_budget_alert(*samples.budget(), store, samples.NOW)
    await record_canary_step(*samples.canary(), store, samples.NOW)


async def counts(store: ClickHouse) -> list[int]:
    return [await count(store, table) for table in TABLES]


async def test_every_column_of_the_models_is_in_the_tables(store: ClickHouse) -> None:
    await keep_all(store)
    assert all(rows for table, rows in zip(TABLES, await counts(store), strict=True) if table != "dead_letters")


async def test_event_delivered_again_after_a_restart_changes_nothing(open_store: OpenStore) -> None:
    store = open_store()
    await keep_all(store)
    await keep_all(store)
    before = await counts(store)
    store = open_store()
    assert await counts(store) == before
    await keep_all(store)
    assert await counts(store) == before


async def test_rows_written_twice_count_once(store: ClickHouse) -> None:
    context, event = samples.findings()
    shared = stamp(context, event.request_id, samples.CORRELATION, samples.NOW)
    for _ in range(2):
        await store.append(tuple(FindingRow.all_of(event, shared)))
        await store.append((RequestRow.of(event, shared),))
    assert (await count(store, "findings"), await count(store, "requests")) == (1, 1)


async def test_same_event_in_two_months_counts_once(store: ClickHouse) -> None:
    context, event = samples.findings()
    for month in (10, 11):
        now = samples.NOW.replace(month=month)
        await store.append((RequestRow.of(event, stamp(context, event.request_id, samples.CORRELATION, now)),))
    assert await count(store, "requests") == 1


async def test_many_events_at_once_are_all_kept(store: ClickHouse) -> None:
    context, event = samples.findings()
    copies = [context.model_copy(update={"id": f"event-{number}"}) for number in range(20)]
    await asyncio.gather(*(record_findings(copy, event, store, samples.CORRELATION, samples.NOW) for copy in copies))
    assert await count(store, "requests") == len(copies)


async def test_table_refuses_text_that_the_models_would_not_make(store: ClickHouse) -> None:
    context, event = samples.findings()
    row = next(FindingRow.all_of(event, stamp(context, event.request_id, samples.CORRELATION, samples.NOW)))
    with pytest.raises(Unavailable):
        await store.append((row.model_copy(update={"vendor_label": "x" * 201}),))
    assert await count(store, "findings") == 0


async def test_old_rows_are_dropped_after_the_days_set(open_store: OpenStore) -> None:
    for days in (90, 7):
        store = open_store(retention_days=days)
        tables = await store.query(
            "SELECT name, create_table_query AS sql FROM system.tables"
            " WHERE database = currentDatabase() AND name != 'schema_migrations'",
            {},
        )
        assert {row["name"] for row in tables} == set(TABLES)
        assert all(f"TTL toDateTime(recorded_at) + toIntervalDay({days})" in row["sql"] for row in tables)


async def test_migrations_are_recorded_once(open_store: OpenStore) -> None:
    await open_store().ready()
    store = open_store()
    recorded = await store.query("SELECT version FROM schema_migrations ORDER BY version", {})
    assert [row["version"] for row in recorded] == [1, 2, 3, 4]


async def test_database_migrated_from_other_files_is_refused(open_store: OpenStore, tmp_path: Path) -> None:
    store = open_store()
    await store.ready()
    store.close()
    other = clickhouse_connect.get_client(dsn=f"chdb://{tmp_path}/rows")
    other.command("TRUNCATE TABLE schema_migrations")
    other.command("INSERT INTO schema_migrations VALUES (1, '0001_rows', 'another checksum', now64())")
    other.close()
    assert not await open_store().ready()


async def test_store_that_is_away_is_unavailable_and_not_ready() -> None:
    store = ClickHouse("clickhouse://127.0.0.1:1/none", retention_days=90)
    assert not await store.ready()
    context, event = samples.findings()
    with pytest.raises(Unavailable) as raised:
        await record_findings(context, event, store, samples.CORRELATION, samples.NOW)
    assert raised.value.retry_after_seconds == 1
