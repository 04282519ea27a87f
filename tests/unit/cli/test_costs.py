"""Costs and experiments as a person sees them, from a record that says what a test wants."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from llama_mapper.cli.costs import dollars
from llama_mapper.cli.experiments import percent
from llama_mapper.cli.main import app
from llama_mapper.contracts.costs import Costs
from llama_mapper.contracts.experiments import Estimate, Experiments


def cost(name: str, asked: int = 3, microdollars: float = 120.0) -> dict[str, Any]:
    return {
        "name": name,
        "mappings": 1200,
        "asked": asked,
        "prompt_tokens": 240,
        "completion_tokens": 6,
        "compute_seconds": 0.31,
        "cost_microdollars": microdollars,
    }


def alert(threshold: int) -> dict[str, Any]:
    amounts = {"budget_microdollars": 50_000_000, "spent_microdollars": 60_000_000}
    at = {"month": "2026-11", "occurred_at": "2026-11-20T08:30:00Z"}
    return {"threshold_percent": threshold, "emergency_percent": 120, **amounts, **at}


COSTS = {
    "days": 30,
    "by": "vendor",
    "costs": [cost("acme", 2), cost("other", 1)],
    "total": cost("demo", microdollars=2_500_000),
    "alerts": [alert(120), alert(80)],
}
NOTHING: dict[str, Any] = {"value": None, "low": None, "high": None}


def estimate(value: float | None, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high}


def measure(value: float, difference: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"mean": estimate(value, value - 1, value + 1), "difference": difference}


def adapter(name: str, control: bool) -> dict[str, Any]:
    difference = None if control else estimate(0.5, 0.25, 0.75)
    return {
        "adapter": name,
        "control": control,
        "labels": 1000,
        "mappings": 5000,
        "calls": 1001,
        "failed": estimate(0.01, 0.005, 0.02),
        "abstained": estimate(None),
        "agreement": None if control else {"labels": 40, "share": estimate(0.9, 0.77, 0.96)},
        "rules": {"labels": 0, "share": NOTHING},
        "confidence": measure(0.8, difference),
        "latency_ms": measure(120, difference),
        "latency_p50_ms": estimate(100, 90, None),
        "latency_p95_ms": estimate(200, 150, 250),
        "tokens": measure(82, difference),
        "cost_microdollars": measure(2.5, difference),
    }


EXPERIMENTS = {"days": 7, "adapters": [adapter("a.1", True), adapter("b.2", False)]}


class Record(BaseHTTPRequestHandler):
    """Stands in for record; keeps what was asked, and by whom."""

    asked: list[tuple[str, str | None]]
    answer: tuple[int, dict[str, Any]]
    url: str

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["X-Tenant-ID"]))
        status, body = self.answer
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Nothing is printed."""


@pytest.fixture
def record() -> Iterator[type[Record]]:
    class Fresh(Record):
        """State of one test."""

    Fresh.asked, Fresh.answer = [], (200, COSTS)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Fresh)
    Fresh.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Fresh
    server.shutdown()
    thread.join()
    server.server_close()


def call(record: type[Record], *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--url", record.url], env={"COLUMNS": "160"})


def test_the_answers_of_this_page_are_those_of_the_contracts() -> None:
    Costs.model_validate(COSTS)
    Experiments.model_validate(EXPERIMENTS)


def test_costs_are_a_table_with_a_total_and_the_alerts(record: type[Record]) -> None:
    result = call(record, "costs", "--by", "vendor", "--days", "7", "--tenant", "acme")
    assert result.exit_code == 0, result.output
    assert record.asked == [("/api/v1/costs?days=7&by=vendor&limit=31", "acme")]
    lines = [line.split() for line in result.stdout.splitlines() if line.strip()]
    assert lines[0][:2] == ["vendor", "mappings"]
    assert ["acme", "1,200", "2", "240", "6", "0.3", "0.000120"] in lines
    assert ["total", "1,200", "3", "240", "6", "0.3", "2.50"] in lines
    assert result.stdout.splitlines()[-2:] == [
        "2026-11: 120 % of 50.00 dollars passed on 2026-11-20; rules answer alone",
        "2026-11: 80 % of 50.00 dollars passed on 2026-11-20",
    ]


def test_no_costs_are_said(record: type[Record]) -> None:
    record.answer = (200, COSTS | {"costs": [], "alerts": []})
    assert call(record, "costs").stdout == "no mappings in 30 days\n"


@pytest.mark.parametrize(("words", "answer"), [(["costs"], COSTS), (["experiments", "report"], EXPERIMENTS)])
def test_what_is_shown_can_be_had_as_json(record: type[Record], words: list[str], answer: dict[str, Any]) -> None:
    record.answer = (200, answer)
    assert json.loads(call(record, *words, "--json").stdout) == answer


def test_versions_stand_side_by_side(record: type[Record]) -> None:
    record.answer = (200, EXPERIMENTS)
    result = call(record, "experiments", "report", "--days", "14", "--control", "a.1")
    assert result.exit_code == 0, result.output
    assert record.asked == [("/api/v1/experiments?days=14&control=a.1", "demo")]
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0] == "a.1 (control) b.2"
    assert "no answer 1.0 % [0.5, 2.0] 1.0 % [0.5, 2.0]" in lines
    assert "abstained – –" in lines
    assert "agrees with control – 90.0 % [77.0, 96.0] of 40" in lines
    assert "agrees with later rules – –" in lines
    assert "latency p50, ms 100 [90, –] 100 [90, –]" in lines
    assert "Δ 0.500 [0.250, 0.750]" in lines


def test_no_versions_are_said(record: type[Record]) -> None:
    record.answer = (200, {"days": 7, "adapters": []})
    assert call(record, "experiments", "report").stdout == "no adapter answered in 7 days\n"


def test_a_question_that_record_refuses_is_refused_in_its_words(record: type[Record]) -> None:
    record.answer = (400, {"detail": "check: control"})
    result = call(record, "experiments", "report", "--control", "nowhere.1")
    assert result.exit_code == 1
    assert result.stderr.endswith("answered 400: check: control\n")


@pytest.mark.parametrize(
    ("microdollars", "shown"),
    [(0, "0.00"), (0.4, "0.000000"), (12.6, "0.000013"), (999_999, "0.999999"), (1_000_000, "1.00"), (2e9, "2,000.00")],
)
def test_small_amounts_keep_their_digits(microdollars: float, shown: str) -> None:
    assert dollars(microdollars) == shown


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (Estimate(), "–"),
        (Estimate(value=0.5), "50.0 %"),
        (Estimate(value=0.5, low=0.4), "50.0 % [40.0, –]"),
        (Estimate(value=0.0, low=0.0, high=0.278), "0.0 % [0.0, 27.8]"),
    ],
)
def test_what_cannot_be_said_is_a_dash(given: Estimate, shown: str) -> None:
    assert percent(given) == shown
