import asyncio
import importlib.util
import json
import struct
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from llama_mapper.cli import evaluate_pictures as pictures
from llama_mapper.cli import evaluate_report as reporting
from llama_mapper.cli.evaluate_event import completed, send
from llama_mapper.cli.evaluate_report import GoldenSet, Report
from llama_mapper.cli.evaluate_running import Running, measure
from llama_mapper.cli.main import app
from llama_mapper.cli.services import NothingAnswers, Services
from llama_mapper.contracts.problems import Unavailable
from mapper_training.gates import gates
from mapper_training.golden import Case
from tests.fakes import measured
from tests.fakes.mapping import finding, used
from tests.fakes.orchestration import mapping
from tests.fakes.subscriber import Answer, Received, listening

CASES = tuple(
    Case(vendor="tool", kind="pii", word=f"WORD_{n}", labels={"PII.Contact.Email": "exact"}, passes="agreed")
    for n in range(12)
)
RUNNING = Running(
    asked=10,
    refused=1,
    schema_valid=0.9,
    methods={"fallback": 0.1, "model": 0.8},
    p50_ms=100.0,
    p95_ms=250.0,
    metered=8,
    prompt_tokens=90.5,
    completion_tokens=2.0,
    cost_microdollars=2.5,
    prices=("2026.11",),
)


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    return measured.result()


def report(result: dict[str, Any], running: Running | None = None) -> Report:
    served = result["systems"]["kind_unknown"][result["served"]]
    judged = gates(served, running.schema_valid if running else None)
    return Report("tried", "unknown", result, GoldenSet(1881, 62, "ab" * 32), judged, running)


def evaluate(*words: str) -> Result:
    return CliRunner().invoke(app, ["evaluate", "mapper", *words])


def test_an_unknown_experiment_is_refused_with_those_there_are() -> None:
    found = evaluate("nowhere")
    assert found.exit_code == 2
    assert "no experiment nowhere; there are llama-3-8b," in found.stderr


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="here the model itself would be asked")
def test_without_answers_and_torch_it_says_what_to_run() -> None:
    found = evaluate("llama-3-8b")
    assert found.exit_code == 1
    assert "llama-3-8b keeps no answers of fold0-kind_unknown" in found.stderr
    assert "python -m mapper_training.score llama-3-8b" in found.stderr
    assert "`make model`" in found.stderr
    assert "--baselines-only" in found.stderr


def test_every_system_is_a_row_and_one_that_says_too_little_shows_its_share(result: dict[str, Any]) -> None:
    rows = {row[0]: row for row in reporting.compared(report(result))}
    assert list(rows) == [reporting.SYSTEMS[name] for name in measured.SYSTEMS]
    assert list(rows) == [row[0] for row in reporting.served(report(result))]
    assert rows["same spelling"][1].endswith("(0.50)")
    assert "(" not in rows["adapter and ranker"][1]


def test_the_gain_over_baseline_and_ranker_is_said_with_its_interval(result: dict[str, Any]) -> None:
    first, second = reporting.facts(report(result))[:2]
    assert first.startswith("adapter and ranker against spelling and meaning (best baseline): F1 +0.")
    assert second.startswith("adapter and ranker against ranker, calibrated: F1 ")
    assert first.count("[") == second.count("[") == 2


def test_a_gate_that_was_not_measured_is_not_called_passed(result: dict[str, Any]) -> None:
    rows = {row[0]: row for row in reporting.gate_rows(report(result))}
    assert rows["schema-valid"][3] == "not measured: needs --url"
    rows = {row[0]: row for row in reporting.gate_rows(report(result, RUNNING))}
    assert rows["schema-valid"][1:] == ("0.900", "≥ 1", "failed")


def test_the_terminal_says_that_running_answers_are_not_held_out(
    result: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    reporting.show(report(result, RUNNING))
    said = capsys.readouterr().out
    assert "no held-out accuracy" in said
    assert "1,881 words of 62 vendors" in said
    assert "90.5 in, 2.0 out" in said


def test_a_system_is_one_line_of_eighty_columns(
    result: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    reporting.show(report(result))
    lines = capsys.readouterr().out.splitlines()
    for name in measured.SYSTEMS:
        rows = [line.split() for line in lines if line.startswith(f"{reporting.SYSTEMS[name]} ")]
        assert [len(row[-1]) for row in rows[:2]] == [5, 5]  # its last cell is there, whole


def test_the_files_hold_the_whole_result_and_name_the_pictures(result: dict[str, Any], tmp_path: Path) -> None:
    found = report(result, RUNNING)
    text = found.markdown([tmp_path / "risk-coverage.png"])
    assert "| adapter and ranker | 0." in text
    assert "![risk coverage](risk-coverage.png)" in text
    assert "no held-out accuracy" in text
    document = json.loads(found.as_json())
    assert document["systems"].keys() == result["systems"].keys()
    assert document["golden_set"] == {"cases": 1881, "vendors": 62, "sha256": "ab" * 32}
    assert {gate["name"] for gate in document["gates"]} >= {"macro-f1", "schema-valid"}
    assert document["running"]["methods"] == {"fallback": 0.1, "model": 0.8}


def test_the_pictures_are_of_a_size_that_can_be_read(result: dict[str, Any], tmp_path: Path) -> None:
    made = pictures.draw(report(result), tmp_path)
    assert [path.name for path in made] == ["reliability.png", "risk-coverage.png", "vendors.png"]
    for path in made:
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        width, height = struct.unpack(">II", content[16:24])
        assert 500 <= width <= 2000
        assert 200 <= height <= 3000
        assert 8_000 < len(content) < 400_000


def test_a_golden_set_with_another_case_is_another_golden_set() -> None:
    whole, part = reporting.golden_set(CASES), reporting.golden_set(CASES[:-1])
    assert whole[:2] == (12, 1)
    assert whole.sha256 != part.sha256


Asked = list[dict[str, Any]]


async def running(*answers: httpx.Response, told: bool = False, count: int = 12) -> tuple[Running, Asked]:
    """What is measured of a mapper that gives *answers* in turn, the last one for ever, and what it was asked."""
    asked: Asked = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content))
        return answers[min(len(asked), len(answers)) - 1]

    async with Services("demo", transport=httpx.MockTransport(handle)) as services:
        found = await measure(services, "http://mapper/", CASES, count, told, lambda *_: None)
    return found, asked


def answer(method: str, **changes: Any) -> httpx.Response:
    document = mapping(finding("WORD"), "PII.Contact.Email").model_dump(mode="json") | {"method": method} | changes
    return httpx.Response(200, json=document)


async def test_answers_are_counted_by_method_and_metered() -> None:
    usage = used().model_dump(mode="json")
    found, asked = await running(answer("fallback"), answer("model", usage=usage))
    assert (found.asked, found.refused, found.schema_valid) == (12, 0, 1.0)
    assert found.methods == {"fallback": 0.0833, "model": 0.9167}
    assert (found.metered, found.prompt_tokens, found.completion_tokens) == (11, 80.0, 2.0)
    assert (found.cost_microdollars, found.prices) == (40.0, ("p.1",))
    assert 0 <= found.p50_ms <= found.p95_ms
    assert len({one["label"] for one in asked}) == 12


async def test_nobody_has_heard_of_the_detector_and_its_kind_is_told_on_request() -> None:
    _, first = await running(answer("fallback"), count=3)
    _, second = await running(answer("fallback"), count=3, told=True)
    ids = {one["detector"] for one in first}, {one["detector"] for one in second}
    assert len(ids[0]) == len(ids[1]) == 1
    assert ids[0].isdisjoint(ids[1])
    assert "kind" not in first[0]
    assert second[0]["kind"] == "pii"


@pytest.mark.parametrize(
    ("bad", "refused"),
    [
        (httpx.Response(200, json={"labels": []}), 0),
        (httpx.Response(200, content=b"{"), 0),
        (answer("guess"), 0),
        (answer("model", extra=1), 0),
        (httpx.Response(503, json={"detail": "down"}), 1),
    ],
)
async def test_what_is_no_mapping_is_not_schema_valid(bad: httpx.Response, refused: int) -> None:
    found, _ = await running(bad, answer("fallback"), count=4)
    assert (found.schema_valid, found.refused, found.methods) == (0.75, refused, {"fallback": 0.75})


async def test_no_mapper_is_a_refusal_and_no_figure() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody")

    async with Services("demo", transport=httpx.MockTransport(handle)) as services:
        with pytest.raises(NothingAnswers):
            await measure(services, "http://mapper", CASES, 5, False, lambda *_: None)


def test_the_event_holds_the_gates_and_the_name_the_canary_knows(result: dict[str, Any]) -> None:
    event = completed(report(result, RUNNING), "mapper-7")
    assert (event.model, event.adapter, event.cases) == ("tried", "mapper-7", 1881)
    judged = {gate.name: gate.passed for gate in report(result, RUNNING).gates}
    assert dict.fromkeys(event.gates_passed, True) | dict.fromkeys(event.gates_failed, False) == judged
    assert (event.metrics["p95_ms"], event.metrics["fallback_share"]) == (250.0, 0.1)
    assert completed(report(result)).adapter == "tried"


async def test_the_broker_is_told_and_a_refusal_is_a_problem(result: dict[str, Any]) -> None:
    answers = [Answer(202), Answer(503)]

    async def behave(_: Received) -> Answer:
        return answers.pop(0)

    async with listening(behave) as subscriber:
        await asyncio.to_thread(send, completed(report(result)), subscriber.url)
        (received,) = subscriber.received
        assert json.loads(received.body)["gates_failed"]
        assert received.headers["ce-tenantid"] == "platform"
        with pytest.raises(Unavailable):
            await asyncio.to_thread(send, completed(report(result)), subscriber.url)
