import json
import logging

import pytest
from fastapi import FastAPI

from llama_mapper.chassis import correlation
from llama_mapper.chassis.app import create_app
from llama_mapper.chassis.logs import get_logger
from llama_mapper.contracts.problems import Unavailable

from .conftest import Client, Lines

CANARY = "canary ada@example.org 4111 1111 1111 1111"
OURS = ["llama_mapper.chassis.x", "functions.detect.service", "mapper_serving.service", "main.adapters"]
FOREIGN = ["httpx", "uvicorn.error", "functions_framework", "mainframe", "functionsx.y", "asyncio"]


@pytest.mark.parametrize("name", OURS)
def test_an_event_of_ours_has_its_name_and_listed_fields(lines: Lines, name: str) -> None:
    get_logger(name).info("findings.mapped", extra={"labels": 3, "method": "rule", "duration_ms": 1.5})
    (line,) = lines()
    assert {key: line[key] for key in ("level", "service", "event", "labels", "method", "duration_ms")} == {
        "level": "info",
        "service": "a-service",
        "event": "findings.mapped",
        "labels": 3,
        "method": "rule",
        "duration_ms": 1.5,
    }


@pytest.mark.parametrize("name", OURS + FOREIGN)
def test_arguments_messages_and_unlisted_fields_never_show(lines: Lines, name: str) -> None:
    log = logging.getLogger(name)
    log.setLevel(logging.DEBUG)
    log.warning("seen: %s", CANARY)
    log.warning(CANARY)
    log.warning("%(x)s", {"x": CANARY})
    log.warning("store.failed", extra={"content": CANARY, "detail": CANARY, "user": CANARY})
    log.warning("store.failed", extra={"reason": {"a": CANARY}, "path": [CANARY], "store": CANARY * 10})
    log.warning("store.failed", stack_info=True)
    assert len(lines()) == 6
    assert "canary" not in json.dumps(lines())


@pytest.mark.parametrize("name", OURS + FOREIGN)
def test_an_exception_keeps_its_type_and_place_and_loses_its_text(lines: Lines, name: str) -> None:
    log = logging.getLogger(name)
    log.setLevel(logging.DEBUG)
    try:
        try:
            raise ValueError(CANARY)
        except ValueError as cause:
            raise Unavailable(CANARY) from cause
    except Unavailable:
        log.exception("request.crashed")
    (line,) = lines()
    assert line["error"] == "Unavailable"
    assert line["at"].startswith("test_an_exception_keeps")
    assert "canary" not in json.dumps(line)


@pytest.mark.parametrize("name", FOREIGN)
def test_a_line_of_a_library_says_whence_it_came_only(lines: Lines, name: str) -> None:
    log = logging.getLogger(name)
    log.setLevel(logging.DEBUG)
    log.error("store.failed", extra={"store": "x"})
    (line,) = lines()
    assert (line["event"], line["logger"], line["level"]) == ("library.log", name, "error")
    assert line["at"].startswith("test_logs:")
    assert "store" not in line


def test_a_logger_of_another_name_becomes_ours(lines: Lines) -> None:
    get_logger("fn_record.adapters").warning("store.failed", extra={"store": "clickhouse"})
    assert lines()[0]["store"] == "clickhouse"


def test_a_line_carries_the_correlation_id(lines: Lines) -> None:
    correlation.adopt("order-0001")
    get_logger("llama_mapper.x").info("findings.mapped")
    assert lines()[0]["correlation_id"] == "order-0001"


async def test_content_sent_over_http_is_in_no_line(
    client: Client, lines: Lines, capfd: pytest.CaptureFixture[str]
) -> None:
    app: FastAPI = create_app("a-service", "1")

    @app.post("/crash")
    async def crash(body: dict[str, str]) -> None:
        raise RuntimeError(body["content"])

    async with client(app) as caller:
        answers = [await caller.post("/crash", json={"content": CANARY}), await caller.get(f"/{CANARY}?q={CANARY}")]
    assert [answer.status_code for answer in answers] == [500, 404]
    written = "".join(capfd.readouterr())
    assert "request.crashed" in written
    assert "canary" not in written + "".join(answer.text for answer in answers)
