"""Secrets sent as content, in every mode and through every fault, are nowhere: no file, row, stream, log, metric."""

import asyncio
import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import clickhouse_connect
import httpx
import pyotp
import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from llama_mapper.chassis.sealing import Sealer
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.identity import SCOPES, NewApiKey
from llama_mapper.identity.code_stores import RedisCodes
from llama_mapper.identity.key_stores import RedisKeys
from llama_mapper.identity.keys import Keys
from llama_mapper.identity.one_time_codes import OneTimeCodes
from tests.e2e.canaries import AWS_KEY, CONTENT, DETECTOR_KEY, EMAIL, IDEMPOTENCY_KEY, SENTENCE, WORD, Search
from tests.e2e.running import System, start, wait_for
from tests.e2e.test_flow import HEADERS, Json, judge, report, wait_until_recorded
from tests.fakes.registered import registration, saying
from tests.fakes.subscriber import Answer, Received, Subscriber, listening

pytestmark = pytest.mark.slow

DEMO = TenantId("demo")
NDJSON = {"Content-Type": "application/x-ndjson"}
DEBUGGED = {
    f"{prefix}_LOG_LEVEL": "DEBUG" for prefix in ("ORCHESTRATION", "DETECT", "ANALYSIS", "MAPPER", "RECORD", "BROKER")
} | {
    "ORCHESTRATION_CALLBACK_LOOPBACK": "true",
    "ORCHESTRATION_CALLBACK_ATTEMPTS": "1",
    "ORCHESTRATION_DETECTOR_NETWORKS": '["127.0.0.0/8"]',
}
LOW = {"priority": "low"}


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """Everything logs what it can, and callbacks and detectors may be on this machine."""
    running = start(tmp_path / "run", DEBUGGED)
    yield running
    if running.process.poll() is None:
        running.stop()


@contextmanager
def outside() -> Iterator[Subscriber]:
    """A team's detector and a receiver of callbacks; the detector may see content, and quotes it where it fails."""

    async def behave(received: Received) -> Answer:
        if received.path == "/judge":
            return saying("team.judge", "hate_speech")(received)
        return Answer(500, body=received.body) if received.path in ("/failing", "/dead") else Answer(204)

    with asyncio.Runner() as runner:
        opened = listening(behave)
        yield runner.run(opened.__aenter__())
        runner.run(opened.__aexit__(None, None, None))


@contextmanager
def asking(system: System, search: Search) -> Iterator["Caller"]:
    with httpx.Client(base_url=system.urls["orchestrate"], headers=HEADERS, timeout=120) as http:
        yield Caller(system, search, http)


class Caller:
    """Asks orchestrate, and looks for the canaries in every answer but those that are to carry content."""

    def __init__(self, system: System, search: Search, http: httpx.Client) -> None:
        self._system, self._http = system, http
        self.search = search
        self._asked = 0

    def ask(self, method: str, path: str, *statuses: int, **request: Any) -> httpx.Response:
        answer = self._http.request(method, path, **request)
        assert answer.status_code in statuses, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
        if not path.endswith("detokenize") or answer.status_code >= 400:
            self._asked += 1
            self.search.through(
                f"answer {self._asked} {method} {path[:40]}", answer.content + str(answer.headers).encode()
            )
        return answer

    def administrator(self) -> dict[str, str]:
        """A key with every scope and a code that was not used yet."""
        return asyncio.run(self._administrator())

    async def _administrator(self) -> dict[str, str]:
        directory = self._system.directory
        async with AsyncRedis.from_url(f"redis://127.0.0.1:{self._system.ports['valkey']}/0") as redis:
            keys = Keys(RedisKeys(redis), directory.pepper().encode())
            made, presented = await keys.create(DEMO, NewApiKey(name="admin", scopes=SCOPES), datetime.now(UTC))
            uri = await OneTimeCodes(RedisCodes(redis), Sealer(directory.keyset())).enrol(made.id, DEMO)
        phone = pyotp.TOTP(parse_qs(urlsplit(uri).query)["secret"][0])
        return {"X-API-Key": presented, "X-One-Time-Code": phone.now()}


def judged_in_every_mode(caller: Caller) -> None:
    once = {"Idempotency-Key": IDEMPOTENCY_KEY}
    path, words = "/api/v1/orchestrate", LOW | {"content": CONTENT}
    first = caller.ask("POST", path, 200, json=words, headers=once)
    again = caller.ask("POST", path, 200, json=words, headers=once)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert {"PII.Contact.Email"} <= {one["label"] for one in first.json()["findings"]}
    caller.ask("POST", path, 422, json=words | {"content": "another"}, headers=once)
    for mode in ("fast", "thorough"):
        caller.ask("POST", path, 200, 206, json=words | {"processing_mode": mode})
    encoded = f"read this: {base64.b64encode(CONTENT.encode()).decode()}"
    caller.ask("POST", path, 200, 206, json=LOW | {"content": encoded})
    # What comes back redacted still holds what no detector found: the sentence is not sent here.
    items = [words, {"content": 5, WORD: EMAIL}, LOW | {"content": EMAIL, "redaction": "mask"}]
    caller.ask("POST", f"{path}/batch", 200, json={"items": items})
    caller.ask("POST", "/v1/moderations", 200, json={"input": [CONTENT, EMAIL]})
    caller.ask("POST", "/v1/moderations", 400, json={"input": [CONTENT], "model": 5, WORD: EMAIL})
    lines = [
        {"detector_types": ["presidio", "llama-mapper-regex"]},
        {"chunk": CONTENT},
        {"chunk": SENTENCE},
        {"end": True},
    ]
    body = "".join(json.dumps(line) + "\n" for line in lines)
    caller.ask("POST", f"{path}/stream", 200, content=body, headers=NDJSON)
    caller.ask("POST", f"{path}/stream", 200, 400, content=body.replace('"end"', f'"{WORD}"'), headers=NDJSON)


def redacted_and_restored(caller: Caller) -> None:
    path, content = "/api/v1/orchestrate", f"{EMAIL} {AWS_KEY}"
    for operator in ("mask", "hash", "token"):
        said = caller.ask("POST", path, 200, json=LOW | {"content": content, "redaction": operator}).json()
    token = said["redaction"]["content"]
    caller.ask("POST", "/api/v1/detokenize", 401, json={"content": token})
    back = caller.ask("POST", "/api/v1/detokenize", 200, json={"content": token}, headers=caller.administrator())
    assert back.json()["content"] == content


def judged_later(caller: Caller, receiver: Subscriber, redis: "Redis", search: Search) -> None:
    path, words = "/api/v1/jobs", LOW | {"content": CONTENT}
    called = {"X-Callback-URL": f"{receiver.url}/called", "Idempotency-Key": f"{IDEMPOTENCY_KEY}-later"}
    jobs = [caller.ask("POST", path, 202, json=words, headers=called).json()["id"]]
    dead = {"X-Callback-URL": f"{receiver.url}/dead"}
    jobs += [
        caller.ask("POST", path, 202, json=words | {"redaction": "mask", "content": EMAIL}, headers=dead).json()["id"]
    ]
    later = [
        caller.ask("POST", "/api/v1/orchestrate", 202, json=words | {"processing_mode": "async"}) for _ in range(8)
    ]
    caller.ask("DELETE", f"{path}/{later[-1].json()['id']}", 200, 409)
    search.through_redis(redis, "while jobs run")
    jobs += [one.json()["id"] for one in later]

    def ended() -> bool:
        return all(one["status"] not in ("queued", "running") for one in caller.ask("GET", path, 200).json()["jobs"])

    wait_for(ended, "the jobs have ended", 120)
    for job in jobs:
        caller.ask("GET", f"{path}/{job}/result", 200, 410)
    wait_for(lambda: {one.path for one in receiver.received} >= {"/called", "/dead"}, "callbacks were sent", 30)
    wait_for(lambda: caller.ask("GET", "/api/v1/webhooks/dead", 200).json()["callbacks"], "a callback is dead", 30)
    for number, one in enumerate(list(receiver.received)):
        if one.path in ("/called", "/dead"):
            search.through(f"callback {number}", one.body + str(one.headers).encode())


def judged_by_a_teams_detector(caller: Caller, receiver: Subscriber) -> None:
    path, words = "/api/v1/orchestrate", LOW | {"content": CONTENT, "detector_types": ["team.judge", "presidio"]}
    said = registration(f"{receiver.url}/judge", id="team.judge", api_key=DETECTOR_KEY)
    caller.ask("POST", "/api/v1/detectors", 201, json=said, headers=caller.administrator())
    caller.ask("POST", path, 200, json=words)
    assert any(CONTENT in one.body.decode() for one in receiver.received if one.path == "/judge")
    refused = said | {"url": f"{receiver.url}/failing", "id": "team.failing"}
    caller.ask("POST", "/api/v1/detectors", 422, json=refused, headers=caller.administrator())
    caller.ask("GET", "/api/v1/detectors/team.judge", 200, headers=caller.administrator())
    changed = {"configuration": {"requests_per_day": 1_000_000}, "why": "OPS-1"}
    tenant = "/api/v1/tenants/demo/configuration"
    caller.ask("PUT", tenant, 200, json=changed, headers=caller.administrator() | {"If-Match": '"0"'})


def refused_in_every_way(caller: Caller, system: System) -> None:
    path, long = "/api/v1/orchestrate", f"{CONTENT} " * 600
    caller.ask("POST", path, 400, json={"content": 1, WORD: EMAIL})
    caller.ask("POST", path, 400, json={"content": "x", "metadata": {WORD: EMAIL}})
    caller.ask("POST", path, 400, json={"content": "x", "detector_types": [WORD]})
    caller.ask("POST", path, 400, content=f'{{"content": "{CONTENT}"', headers={"Content-Type": "application/json"})
    caller.ask("POST", path, 400, 415, content=CONTENT, headers={"Content-Type": f"text/{WORD}"})
    caller.ask("POST", path, 413, json={"content": long})
    caller.ask("POST", path, 400, json={"content": "x"}, headers={"X-Tenant-ID": EMAIL})
    caller.ask("POST", path, 401, json={"content": "x"}, headers={"Authorization": f"Bearer {WORD}.{WORD}.{WORD}"})
    caller.ask("POST", path, 401, json={"content": "x"}, headers={"X-API-Key": f"lmk_{WORD}"})
    caller.ask("POST", path, 200, 206, json=LOW | {"content": "x"}, headers={"X-Correlation-ID": f"{EMAIL} {SENTENCE}"})
    caller.ask("PATCH", path, 405, json={"content": CONTENT})
    caller.ask("POST", f"/api/v1/{WORD}", 404, json={"content": CONTENT})
    caller.ask("GET", f"/api/v1/jobs/{EMAIL}", 400, 404)
    caller.ask("GET", "/api/v1/jobs", 400, params={"limit": SENTENCE})
    caller.ask(
        "POST", "/api/v1/jobs", 400, json={"content": CONTENT}, headers={"X-Callback-URL": f"https://{WORD}:x@y/"}
    )
    for part, at in (("mapper", "/api/v1/map"), ("analyze", "/api/v1/analyze"), ("detect", "/api/v1/detect")):
        answer = httpx.post(system.urls[part] + at, json={"label": EMAIL, "content": CONTENT, WORD: 1}, timeout=30)
        assert answer.status_code == 400
        caller.search.through(f"problem of {part}", answer.content)
    assert httpx.post(system.ingress, content=CONTENT.encode(), timeout=10).status_code == 400


def reported_by_others(system: System) -> None:
    leaking: Json = {"detector": "presidio", "label": f"EMAIL {EMAIL} {AWS_KEY}"}  # a producer that breaks the contract
    assert report(system, leaking, "canary-leaked").status_code == 202
    assert report(system, {"detector": "gitleaks", "label": "github-pat"}, "canary-report").status_code == 202


def test_the_canaries_are_nowhere_while_it_runs_and_after_its_end(system: System) -> None:
    search = Search()
    run, rows = system.directory.path, system.directory.path / "analytics"
    with outside() as receiver, Redis(port=system.ports["valkey"]) as redis, asking(system, search) as caller:
        redis.config_set("rdbcompression", "no")  # so that a snapshot can be searched
        judged_in_every_mode(caller)
        redacted_and_restored(caller)
        judged_later(caller, receiver, redis, search)
        judged_by_a_teams_detector(caller, receiver)
        refused_in_every_way(caller, system)
        answer = judge(system, {"content": CONTENT}, **{"X-Correlation-ID": "canary-http"})
        assert answer.status_code == 200
        wait_until_recorded(system, "canary-http")
        # Before the event that breaks the contract, which the broker has to keep as it came until it is delivered.
        log = b"".join(one.read_bytes() for one in (run / "valkey").rglob("*.aof"))
        search.through("append-only file while it runs", log)
        assert b"orchestrate:jobs:claim:demo" in log, "contents waited here, sealed"
        reported_by_others(system)
        wait_until_recorded(system, "canary-report")
        for part in ("orchestrate", "detect", "mapper", "analyze", "record", "broker"):
            search.through(f"metrics of {part}", httpx.get(system.urls[part] + "/metrics", timeout=10).content)
        for what in ("findings", "requests", "decisions", "dead-letters"):
            said = httpx.get(f"{system.urls['record']}/api/v1/{what}", headers=HEADERS, timeout=10)
            search.through(f"record's {what}", said.content)
        search.through_redis(redis, "at the end")
        redis.save()  # which also writes the append-only file anew
    consumed = "process io.llama-mapper.finding.reported.v1"
    wait_for(lambda: b"".join(one.read_bytes() for one in run.glob("logs/*")).find(consumed.encode()) > 0, "spans", 30)
    assert system.stop() == 0
    search.through_files(run)
    search_tables(search, rows)
    print(f"{len(search.needles)} forms of secrets in {len(search.places)} places, {sum(search.places.values())} bytes")  # noqa: T201 - the figure of docs/measurements.md
    assert not search.found, "\n".join(search.found[:50])
    files = {name for name in search.places if name.startswith("file ")}
    assert any("appendonly" in name for name in files)
    assert any(name.endswith(".rdb") for name in files)
    assert b"policy.decided" in (run / "logs" / "orchestrate.jsonl").read_bytes()
    assert len(search.places) > 100


def search_tables(search: Search, rows: Path) -> None:
    client = clickhouse_connect.get_client(dsn=f"chdb://{rows}")
    try:
        assert client.query("SELECT count() FROM requests").result_rows[0][0] >= 2
        tables = [row[0] for row in client.query("SHOW TABLES").result_rows]
        for table in tables:
            search.through(f"table {table}", str(client.query(f"SELECT * FROM `{table}`").result_rows))
        found = str(client.query("SELECT * FROM findings").result_rows)
    finally:
        client.close()
    assert "PII.Contact.Email" in found
    assert HEADERS["X-Tenant-ID"] in found


def test_the_search_finds_what_it_looks_for() -> None:
    """Each form, planted alone, is found; and a text that holds none is not."""
    search = Search()
    search.through("innocent", b"a heron of another cellar, someone@example.org")
    assert search.found == []
    for name, needle in search.needles.items():
        planted = Search()
        planted.through("planted", b"before " + needle + b" after")
        assert f"planted: {name}" in planted.found
    wrapped = Search()
    wrapped.through("wrapped", base64.b64encode(b"??" + CONTENT.encode()))
    assert {one.split(",")[0] for one in wrapped.found} >= {"wrapped: e-mail", "wrapped: AWS key", "wrapped: sentence"}
