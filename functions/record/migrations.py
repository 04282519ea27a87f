"""Bring the tables to the state the code needs: numbered SQL files, each applied once and never changed after."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from llama_mapper.contracts.wire import Wire

FOLDER = Path(__file__).parent / "migrations"
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_END = re.compile(r";\s*(?:\n|$)")


class MigrationError(Exception):
    """The files and the database do not fit together; the message names the file."""


class Migration(Wire):
    """One file; ``checksum`` is SHA-256 of its bytes."""

    version: int
    name: str
    checksum: str
    text: str

    def statements(self, cluster: str | None) -> list[str]:
        """The SQL to run, for one server or for every replica of *cluster*."""
        text = "\n".join(line for line in self.text.splitlines() if not line.startswith("--"))
        text = text.replace("{on_cluster}", f" ON CLUSTER '{cluster}'" if cluster else "")
        text = text.replace("{replicated}", "Replicated" if cluster else "")
        return [statement.strip() for statement in _END.split(text) if statement.strip()]


class Database(Protocol):
    """What migrating needs of an engine."""

    def applied(self) -> Mapping[int, str]:
        """Version -> checksum of the migrations applied so far."""

    def apply(self, statement: str) -> None: ...

    def mark(self, migration: Migration) -> None: ...


def read(folder: Path = FOLDER) -> tuple[Migration, ...]:
    """Read the files in order.

    Raises:
        MigrationError: a name does not fit, or a number is missing or there twice.
    """
    found = []
    for number, path in enumerate(sorted(folder.glob("*.sql")), start=1):
        named = _NAME.fullmatch(path.name)
        if not named or int(named.group(1)) != number:
            raise MigrationError(f"{path.name}: expected {number:04d}_<words>.sql")
        text = path.read_text("utf-8")
        checksum = hashlib.sha256(text.encode()).hexdigest()
        found.append(Migration(version=number, name=path.stem, checksum=checksum, text=text))
    return tuple(found)


def migrate(database: Database, migrations: Sequence[Migration], cluster: str | None = None) -> int:
    """Apply what is missing, in order, and return how many that were.

    Statements are written to be harmless when run again (IF NOT EXISTS), since ClickHouse has no transaction around
    them: a start that died half-way, or two starting at once, must not hurt. Versions that only the database knows
    are a newer release's and are left alone.

    Raises:
        MigrationError: an applied file has changed since.
    """
    done = database.applied()
    for migration in migrations:
        if migration.version in done and done[migration.version] != migration.checksum:
            raise MigrationError(f"{migration.name}: changed after it was applied; write a new migration instead")
    missing = [migration for migration in migrations if migration.version not in done]
    for migration in missing:
        for statement in migration.statements(cluster):
            database.apply(statement)
        database.mark(migration)
    return len(missing)
