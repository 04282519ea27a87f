"""record's ports in memory: rows with the store's identity, a database that remembers its migrations."""

from collections.abc import Mapping, Sequence
from typing import Any

from functions.record.migrations import Migration
from functions.record.rows import EventRow, Row
from llama_mapper.contracts.problems import Unavailable

IDENTITY = ("tenant_id", "request_id", "event_source", "event_id", "position", "destination")


class Rows:
    """The port ``Rows``; refuses everything while *down*, or the tables named in *refused*."""

    def __init__(self) -> None:
        self.kept: dict[tuple[Any, ...], Row] = {}
        self.appended: list[str] = []
        self.down = False
        self.refused: set[str] = set()

    async def holds(self, row: EventRow) -> bool:
        self._check(row.table)
        return _identity(row) in self.kept

    async def append(self, rows: Sequence[Row]) -> None:
        self._check(rows[0].table)
        self.appended.append(rows[0].table)
        self.kept.update((_identity(row), row) for row in rows)

    async def query(self, sql: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        self._check("")
        return []

    async def ready(self) -> bool:
        return not self.down

    def of(self, table: str) -> list[Any]:
        return [row for row in self.kept.values() if row.table == table]

    def _check(self, table: str) -> None:
        if self.down or table in self.refused:
            raise Unavailable("the row store does not answer", retry_after_seconds=1)


def _identity(row: Row) -> tuple[Any, ...]:
    return (row.table, *(getattr(row, name, None) for name in IDENTITY))


class Database:
    """The port ``migrations.Database``; breaks at the statement that holds *breaks_at*."""

    def __init__(self, applied: Mapping[int, str] | None = None, breaks_at: str | None = None) -> None:
        self.checksums = dict(applied or {})
        self.statements: list[str] = []
        self.breaks_at = breaks_at

    def applied(self) -> Mapping[int, str]:
        return self.checksums

    def apply(self, statement: str) -> None:
        if self.breaks_at and self.breaks_at in statement:
            raise ConnectionError
        self.statements.append(statement)

    def mark(self, migration: Migration) -> None:
        self.checksums[migration.version] = migration.checksum
