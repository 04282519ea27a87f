"""`llama-mapper tenants`, against an orchestrate that says what a test wants."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from llama_mapper.cli.main import app
from tests.fakes.subscriber import Answer, Received, Subscriber, listening

HELD = {
    "enabled": True, "key_required": True, "max_content_characters": 9, "max_priority": "high", "confidence": 0.5,
    "coverage": 0.8, "extra_detectors": [], "required_detectors": [], "redaction_operators": ["mask"],
}  # fmt: skip
STATE: dict[str, Any] = {
    "tenant_id": "demo", "version": 4, "platform": {"requests_per_day": 5},
    "own": {"max_content_characters": 9, "requests_per_day": 6}, "rules": HELD, "ignored": ["requests_per_day"],
}  # fmt: skip
VERSION = {"version": 4, "at": "2026-11-23T10:00:00Z", "subject": "operator", "by": "own", "why": "OPS-1"}
JSON = {"Content-Type": "application/json"}
PROBLEM = {
    "type": "/problems/invalid-request", "title": "The request is not valid", "status": 400,
    "detail": "check: configuration.retention_days", "error_code": "INVALID_REQUEST", "retryable": False,
    "correlation_id": "c" * 8,
}  # fmt: skip


async def _orchestrate(asked: Received) -> Answer:
    if asked.body and "never" in asked.body.decode():
        problem = json.dumps(PROBLEM).encode()
        return Answer(400, {"Content-Type": "application/problem+json"}, problem)
    if asked.path.endswith("/versions"):
        listed = {"tenant_id": "demo", "versions": [VERSION | {"restored": 2}, VERSION | {"version": 3}]}
        return Answer(200, JSON, json.dumps(listed).encode())
    newer = {"version": 5} if asked.body else {}
    return Answer(200, JSON, json.dumps(STATE | newer).encode())


@pytest.fixture
async def server() -> AsyncIterator[Subscriber]:
    async with listening(_orchestrate) as subscriber:
        yield subscriber


def run(server: Subscriber, *words: str, text: str | None = None) -> Result:
    return CliRunner().invoke(app, ["tenants", *words, "--url", server.url, "--api-key", "lmk_x"], input=text)


async def test_show_says_what_both_sides_say_and_what_holds(server: Subscriber) -> None:
    result = run(server, "show", "demo")
    assert result.exit_code == 0, result.output
    rows = {line.split("│")[1].strip(): line for line in result.stdout.splitlines() if line.startswith("│")}
    assert "6 (ignored)" in rows["requests_per_day"]
    assert '["mask"]' in rows["redaction_operators"]
    assert json.loads(run(server, "show", "demo", "--json").stdout)["version"] == 4
    assert server.received[0].headers["x-api-key"] == "lmk_x"


async def test_set_changes_the_version_it_read(server: Subscriber, tmp_path: Path) -> None:
    file = tmp_path / "demo.json"
    file.write_text('{"max_content_characters": 9}')
    result = run(server, "set", "demo", str(file), "--why", "OPS-1", "--code", "123456")
    assert (result.exit_code, result.stdout.strip()) == (0, "version 5 of demo is in force"), result.output
    _, put = server.received
    assert (put.path, put.headers["if-match"]) == ("/api/v1/tenants/demo/configuration", '"4"')
    assert put.headers["x-one-time-code"] == "123456"
    assert json.loads(put.body) == {"configuration": {"max_content_characters": 9}, "why": "OPS-1"}


async def test_set_may_say_which_version_it_changes_and_read_a_pipe(server: Subscriber) -> None:
    assert run(server, "set", "demo", "-", "--why", "OPS-1", "--version", "2", text="{}").exit_code == 0
    (put,) = server.received
    assert put.headers["if-match"] == '"2"'


async def test_what_is_refused_is_said_in_one_line(server: Subscriber) -> None:
    result = run(server, "set", "demo", "-", "--why", "never", text="{}")
    assert result.exit_code == 1
    assert "check: configuration.retention_days" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("text", ['{"retention_days": "ada@example.org"}', '{"ada@example.org": 1}', "[]", "no"])
async def test_a_file_that_is_no_configuration_is_not_sent_or_quoted(server: Subscriber, text: str) -> None:
    result = run(server, "set", "demo", "-", "--why", "OPS-1", text=text)
    assert (result.exit_code, server.received) == (2, [])
    assert "fields are callback_hosts" in result.stderr
    assert "ada@" not in result.output


async def test_a_file_that_is_not_there_is_said(server: Subscriber) -> None:
    result = run(server, "set", "demo", "nowhere.json", "--why", "OPS-1")
    assert (result.exit_code, "cannot read nowhere.json" in result.stderr) == (2, True)


async def test_versions_lists_the_newest_first(server: Subscriber) -> None:
    lines = [line for line in run(server, "versions", "demo").stdout.splitlines() if line.startswith("│")]
    assert ["as version 2" in line for line in lines] == [True, False]


async def test_rollback_follows_the_newest(server: Subscriber) -> None:
    result = run(server, "rollback", "demo", "2", "--why", "OPS-2")
    assert (result.exit_code, result.stdout.strip()) == (0, "version 5 of demo is in force, as version 2")
    posted = server.received[-1]
    assert (posted.path, posted.headers["if-match"]) == ("/api/v1/tenants/demo/configuration/rollback", '"4"')
    assert json.loads(posted.body) == {"version": 2, "why": "OPS-2"}
