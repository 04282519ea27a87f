"""The row store: ClickHouse over HTTP, or the same engine inside this process (chdb) on a single machine."""

import asyncio
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from llama_mapper.chassis.logs import get_logger
from llama_mapper.contracts.problems import Unavailable

from . import migrations
from .rows import EventRow, Row
from .together import Together

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

log = get_logger(__name__)

T = TypeVar("T")
_Key = tuple[str, str, str, str]

TABLES = ("requests", "findings", "mappings", "analyses", "controls", "budget_alerts", "canary_steps", "dead_letters")

# A field the table does not know must not vanish silently; pydantic writes ISO 8601 times.
_INSERT = {"input_format_skip_unknown_fields": 0, "date_time_input_format": "best_effort"}
# Many small inserts are put together by a server, which answers once the rows are stored.
_SERVER = {"async_insert": 1, "wait_for_async_insert": 1}


def _key(row: EventRow) -> _Key:
    return row.tenant_id, row.request_id, row.event_source, row.event_id


class ClickHouse:
    """The store behind the ports ``Rows`` and ``Reader``.

    Nothing is opened before the first call: functions-framework forks after loading the function, and neither an
    engine's threads nor a connection live through that.
    """

    def __init__(self, dsn: str, *, retention_days: int, cluster: str | None = None) -> None:
        self._dsn = dsn
        self._embedded = dsn.startswith("chdb:")
        self._retention_days = retention_days
        self._cluster = cluster
        self._client: Client | None = None
        self._opening = threading.Lock()
        # The embedded engine takes one call at a time; a client without a session serves many threads.
        self._turn: AbstractContextManager[Any] = threading.Lock() if self._embedded else nullcontext()
        self._held_of = {table: Together(partial(self._held, table)) for table in TABLES}
        self._inserted_into = {table: Together(partial(self._insert, table)) for table in TABLES}

    async def holds(self, row: EventRow) -> bool:
        return await self._held_of[row.table](_key(row))

    async def append(self, rows: Sequence[Row]) -> None:
        lines = "\n".join(row.model_dump_json() for row in rows)
        if self._embedded:
            await self._inserted_into[rows[0].table](lines)
        else:
            await self._insert(rows[0].table, (lines,))

    async def _held(self, table: str, keys: Sequence[_Key]) -> list[bool]:
        """Say of each of *keys* whether *table* has a row of that event."""
        sql = (
            "SELECT DISTINCT tenant_id, request_id, event_source, event_id FROM {table:Identifier}"
            " WHERE (tenant_id, request_id, event_source, event_id) IN"
            " {keys:Array(Tuple(String, String, String, String))}"
        )
        found = {tuple(row.values()) for row in await self.query(sql, {"table": table, "keys": list(keys)})}
        return [key in found for key in keys]

    async def _insert(self, table: str, lines: Sequence[str]) -> list[None]:
        block = "\n".join(lines).encode()
        # JSON lines, not the client's own insert: that one imports pandas (1.5 s) with the embedded engine.
        await self._run(
            lambda client: client.raw_insert(table, insert_block=block, fmt="JSONEachRow", settings=_INSERT)
        )
        return [None] * len(lines)

    async def query(self, sql: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the rows that *sql* selects; *parameters* are bound by the engine.

        Raises:
            Unavailable: the store does not answer.
        """
        return await self._run(lambda client: list(client.query(sql, parameters=dict(parameters)).named_results()))

    async def ready(self) -> bool:
        """Open the store where it is not open yet and say whether it answers."""
        try:
            await self.query("SELECT 1", {})
        except Unavailable:
            return False
        return True

    def close(self) -> None:
        if self._client:
            self._client.close()
            self._client = None

    async def _run(self, work: "Callable[[Client], T]") -> T:
        return await asyncio.to_thread(self._work, work)

    def _work(self, work: "Callable[[Client], T]") -> T:
        from clickhouse_connect.driver.exceptions import ClickHouseError

        try:
            client = self._open()
            with self._turn:
                return work(client)
        except ClickHouseError as error:
            log.warning("store.failed", extra={"store": "clickhouse", "reason": type(error).__name__})
            raise Unavailable("the row store does not answer", retry_after_seconds=1) from error
        except migrations.MigrationError as error:
            log.exception("store.refused", extra={"store": "clickhouse", "reason": str(error)})
            raise Unavailable("the row store's tables do not fit this release", retry_after_seconds=1) from error

    def _open(self) -> "Client":
        with self._opening:
            if self._client is None:
                import clickhouse_connect

                options: dict[str, Any] = {} if self._embedded else {"autogenerate_session_id": False}
                settings = None if self._embedded else _SERVER
                client = clickhouse_connect.get_client(dsn=self._dsn, tz_mode="aware", settings=settings, **options)
                try:
                    self._prepare(client)
                except BaseException:
                    client.close()
                    raise
                self._client = client
            return self._client

    def _prepare(self, client: "Client") -> None:
        applied = migrations.migrate(_Database(client, self._cluster), migrations.read(), self._cluster)
        for table in TABLES:
            _keep_for(client, table, self._retention_days, self._cluster)
        log.info("store.opened", extra={"store": "chdb" if self._embedded else "clickhouse", "count": applied})


class _Database:
    """The port ``migrations.Database`` on a client."""

    def __init__(self, client: "Client", cluster: str | None) -> None:
        self._client = client
        on_cluster = f" ON CLUSTER '{cluster}'" if cluster else ""
        client.command(
            f"CREATE TABLE IF NOT EXISTS schema_migrations{on_cluster} (version UInt32, name String, checksum String,"
            f" applied_at DateTime64(3, 'UTC')) ENGINE = {'Replicated' if cluster else ''}ReplacingMergeTree"
            " ORDER BY version"
        )

    def applied(self) -> dict[int, str]:
        found = self._client.query("SELECT version, checksum FROM schema_migrations FINAL")
        return {int(version): str(checksum) for version, checksum in found.result_rows}

    def apply(self, statement: str) -> None:
        self._client.command(statement)

    def mark(self, migration: migrations.Migration) -> None:
        row = migration.model_dump(exclude={"text"}) | {"applied_at": datetime.now(UTC).isoformat()}
        line = json.dumps(row).encode()
        self._client.raw_insert("schema_migrations", insert_block=line, fmt="JSONEachRow", settings=_INSERT)


def _keep_for(client: "Client", table: str, days: int, cluster: str | None) -> None:
    """Let ClickHouse drop rows of *table* after *days*; a change of the setting reaches the rows already kept."""
    described = client.query(
        "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = {table:String}",
        parameters={"table": table},
    ).result_rows[0][0]
    if f"toIntervalDay({days:d})" not in described:
        on_cluster = f" ON CLUSTER '{cluster}'" if cluster else ""
        client.command(f"ALTER TABLE {table}{on_cluster} MODIFY TTL toDateTime(recorded_at) + INTERVAL {days:d} DAY")
