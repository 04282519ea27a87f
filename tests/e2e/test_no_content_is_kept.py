"""A secret sent as content is nowhere once the system has stopped: no file, stream, row, log or event."""

import os
from pathlib import Path

import clickhouse_connect
import httpx
import pytest

from tests.e2e.running import System, wait_for
from tests.e2e.test_flow import HEADERS, Json, judge, report, wait_until_recorded

pytestmark = pytest.mark.slow

CANARY = "zq" + "canary7f3"
EMAIL = f"{CANARY}@example.org"
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be")


def holding(folder: Path, word: str) -> list[Path]:
    """Every file below *folder* that holds *word*, in any of the encodings a store might use."""
    needles = [word.encode(encoding) for encoding in ENCODINGS]
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in files if any(needle in path.read_bytes() for needle in needles)]


def test_the_canary_is_nowhere_after_shutdown(own_system: System) -> None:
    ingress = own_system.ingress
    answer = judge(own_system, {"content": f"write to {EMAIL} now"}, **{"X-Correlation-ID": "canary-http"})
    assert answer.status_code == 200
    assert "PII.Contact.Email" in answer.text
    assert CANARY not in answer.text
    wait_until_recorded(own_system, "canary-http")
    # the same word where it does not belong: every one of these is refused
    assert judge(own_system, {"content": 1, CANARY: EMAIL}).status_code == 400
    assert judge(own_system, {"content": "x", "metadata": {CANARY: EMAIL}}).status_code == 400
    assert judge(own_system, {"content": "x", "detector_types": [CANARY]}).status_code == 400
    url = own_system.urls["mapper"] + "/api/v1/map"
    assert httpx.post(url, json={"detector": "presidio", "label": EMAIL}, timeout=10).status_code == 400
    assert httpx.post(ingress, content=EMAIL.encode(), timeout=10).status_code == 400
    leaking: Json = {"detector": "presidio", "label": f"EMAIL {EMAIL}"}  # a producer that breaks the contract
    assert report(own_system, leaking, "canary-leaked").status_code == 202
    assert report(own_system, {"detector": "gitleaks", "label": "github-pat"}, "canary-report").status_code == 202
    wait_until_recorded(own_system, "canary-report")
    run, rows = own_system.directory.path, own_system.directory.path / "analytics"
    consumed = "process io.llama-mapper.finding.reported.v1"
    wait_for(lambda: bool(holding(run / "logs", consumed)), "the spans are in the logs", 30)
    assert own_system.stop() == 0
    assert os.listdir(run)
    assert holding(run, CANARY) == []
    client = clickhouse_connect.get_client(dsn=f"chdb://{rows}")
    try:
        assert client.query("SELECT count() FROM requests").result_rows[0][0] >= 2
        tables = [row[0] for row in client.query("SHOW TABLES").result_rows]
        dumped = "".join(str(client.query(f"SELECT * FROM `{table}`").result_rows) for table in tables)
    finally:
        client.close()
    assert "PII.Contact.Email" in dumped
    assert CANARY not in dumped
    assert HEADERS["X-Tenant-ID"] in dumped
