"""One line a decision, and nothing in it that was said."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from functions.orchestrate.policies.log import input_digest, note
from llama_mapper.chassis.logs import JsonFormatter
from llama_mapper.contracts.identifiers import DetectorId, RequestId, TenantId
from llama_mapper.contracts.orchestration import Coverage, Decision
from tests.fakes.findings import SOURCE, found
from tests.fakes.orchestration import DEMO, Fakes

CANARY = "canary ada@example.org 4111 1111 1111 1111"
COVERED = Coverage(method="REQUIRED_SET", score=1.0, required=())
DECISION = Decision(
    action="redact", reasons=("label.pii",), obligations=("mask_spans",), policy="decision", policy_version="7+abc"
)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the service's own formatter writes of orchestrate's decisions."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter("orchestrate"))
    log = logging.getLogger("functions.orchestrate.policies.log")
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    yield written
    log.removeHandler(handler)
    log.setLevel(before)


def written(lines: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_a_decision_is_one_line_as_opa_has_it_with_the_input_erased(lines: io.StringIO) -> None:
    note(RequestId("r" * 32), DEMO, [found()], COVERED, DECISION, 0.4321)
    (line,) = written(lines)
    said = {name: line[name] for name in line if name not in ("time", "correlation_id", "level", "service")}
    assert said == {
        "event": "policy.decided",
        "decision_id": "r" * 32,
        "path": "llama_mapper/decision/decision",
        "tenant": "demo",
        "policy_version": "7+abc",
        "input_sha256": input_digest([found()], COVERED, DEMO),
        "findings": 1,
        "action": "redact",
        "reasons": ["label.pii"],
        "obligations": ["mask_spans"],
        "duration_ms": 0.432,
    }


async def test_a_judged_content_leaves_its_decision_and_not_itself(lines: io.StringIO) -> None:
    answer = await Fakes().judge(content=CANARY, metadata={"ticket": "canary-1"})
    (line,) = written(lines)
    assert line["decision_id"] == answer.request_id
    assert line["action"] == answer.decision.action
    assert "canary" not in lines.getvalue()
    assert "4111 1111" not in lines.getvalue()


@pytest.mark.parametrize(
    "other",
    [
        input_digest([found("SECRET.Key")], COVERED, DEMO),
        input_digest([found(confidence=0.8)], COVERED, DEMO),
        input_digest([found(severity=3)], COVERED, DEMO),
        input_digest([found(sources=[SOURCE, SOURCE | {"detector": "numbers"}])], COVERED, DEMO),
        input_digest([], COVERED, DEMO),
        input_digest([found()], COVERED, TenantId("other")),
        input_digest([found()], COVERED.model_copy(update={"score": 0.9}), DEMO),
        input_digest([found()], COVERED.model_copy(update={"missing": (DetectorId("words"),)}), DEMO),
    ],
)
def test_another_input_has_another_digest(other: str) -> None:
    assert other != input_digest([found()], COVERED, DEMO)


def test_the_order_of_findings_is_no_other_input() -> None:
    one, two = found(), found("SECRET.Key")
    assert input_digest([one, two], COVERED, DEMO) == input_digest([two, one], COVERED, DEMO)


def test_a_word_that_is_prose_is_dropped(lines: io.StringIO) -> None:
    log = logging.getLogger("functions.orchestrate.policies.log")
    log.info("policy.decided", extra={"reasons": ("label.pii", CANARY), "obligations": [CANARY]})
    (line,) = written(lines)
    assert "reasons" not in line
    assert "obligations" not in line
