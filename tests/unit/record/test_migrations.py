from pathlib import Path

import pytest

from functions.record.migrations import Migration, MigrationError, migrate, read
from tests.fakes.rows import Database


def written(folder: Path, **files: str) -> tuple[Migration, ...]:
    for name, text in files.items():
        (folder / f"{name.removeprefix('m')}.sql").write_text(text, "utf-8")
    return read(folder)


def two(folder: Path) -> tuple[Migration, ...]:
    return written(folder, m0001_first="SELECT 1;\n\nSELECT 2;\n", m0002_second="-- why\nSELECT 3;\n")


def test_all_statements_are_applied_in_order(tmp_path: Path) -> None:
    database = Database()
    assert migrate(database, two(tmp_path)) == 2
    assert database.statements == ["SELECT 1", "SELECT 2", "SELECT 3"]


def test_second_start_applies_nothing(tmp_path: Path) -> None:
    database = Database()
    migrate(database, two(tmp_path))
    database.statements.clear()
    assert migrate(database, two(tmp_path)) == 0
    assert database.statements == []


def test_new_file_is_applied_alone(tmp_path: Path) -> None:
    database = Database()
    migrate(database, two(tmp_path))
    database.statements.clear()
    migrate(database, written(tmp_path, m0003_third="SELECT 4;\n"))
    assert database.statements == ["SELECT 4"]


def test_changed_file_is_refused_by_name_before_anything_runs(tmp_path: Path) -> None:
    database = Database()
    migrate(database, two(tmp_path))
    database.statements.clear()
    changed = written(tmp_path, m0001_first="SELECT 1 + 1;\n", m0003_third="SELECT 4;\n")
    with pytest.raises(MigrationError, match="0001_first"):
        migrate(database, changed)
    assert database.statements == []


def test_migration_that_broke_off_is_run_again_in_full(tmp_path: Path) -> None:
    database = Database(breaks_at="SELECT 2")
    with pytest.raises(ConnectionError):
        migrate(database, two(tmp_path))
    database.breaks_at = None
    migrate(database, two(tmp_path))
    assert database.statements == ["SELECT 1", "SELECT 1", "SELECT 2", "SELECT 3"]


def test_tables_of_a_newer_release_are_left_alone(tmp_path: Path) -> None:
    migrations = two(tmp_path)
    known = {migration.version: migration.checksum for migration in migrations}
    assert migrate(Database(applied={**known, 3: "newer"}), migrations) == 0


@pytest.mark.parametrize("name", ["first", "1_first", "0002_first", "0001-first", "0001_First"])
def test_file_with_a_wrong_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(MigrationError, match="0001_<words>"):
        written(tmp_path, **{name: "SELECT 1;\n"})


def test_one_server_gets_plain_tables() -> None:
    statements = [s for migration in read() for s in migration.statements(None)]
    assert all("ON CLUSTER" not in s and "Replicated" not in s and "{" not in s for s in statements)


def test_cluster_gets_replicated_tables_on_every_replica() -> None:
    statements = [s for migration in read() for s in migration.statements("main")]
    assert all(" ON CLUSTER 'main' (" in s and "ENGINE = ReplicatedReplacingMergeTree" in s for s in statements)


@pytest.mark.parametrize("statement", [s for migration in read() for s in migration.statements(None)])
def test_every_table_sorts_by_tenant_first_then_the_events_identity(statement: str) -> None:
    key = statement.rpartition("ORDER BY (")[2].split(", ")
    assert key[0] == "tenant_id"
    assert {"event_source", "event_id"} <= {part.rstrip(")") for part in key}
