import importlib
from pathlib import Path

import httpx
import pytest

from functions.record.settings import Settings
from llama_mapper.chassis.settings import SettingsError, load


async def test_entry_answers_health_without_opening_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECORD_DSN", f"chdb://{tmp_path}/rows")
    main = importlib.import_module("functions.record.main")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(main.app), base_url="http://record") as client:
        assert (await client.get("/health")).status_code == 200
    assert callable(main.handle)
    assert not (tmp_path / "rows").exists()


def test_missing_store_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECORD_DSN", raising=False)
    with pytest.raises(SettingsError, match="RECORD_DSN"):
        load(Settings)


def test_wrong_setting_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECORD_DSN", "clickhouse://user:secret@host/rows")
    monkeypatch.setenv("RECORD_CLUSTER", "main' ON")
    with pytest.raises(SettingsError, match="RECORD_CLUSTER") as raised:
        load(Settings)
    assert "secret" not in str(raised.value)
    assert "' ON" not in str(raised.value)
