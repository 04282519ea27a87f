"""What the model cost, and adapter versions side by side, asked of the real engine."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.unit.record import samples
from tests.unit.record.samples import NOW

STRUCTURED = {"Content-Type": "application/cloudevents+json"}
DEMO = {"X-Tenant-ID": "demo"}
COST = 10.0


def mapping(
    word: str,
    label: str = "PII.Contact.Email",
    adapter: str | None = "a.1",
    method: str = "model",
    confidence: float = 0.8,
    latency_ms: float = 100.0,
    vendor: str = "acme",
    **changed: Any,
) -> dict[str, Any]:
    """One mapping as the mapper makes it: of a model's answer, unless *method* or *changed* say otherwise."""
    usage = {
        "prompt_tokens": 80,
        "completion_tokens": 2,
        "compute_seconds": latency_ms / 1000,
        "latency_ms": latency_ms,
        "cost_microdollars": COST,
        "prices": "2026.11",
    }
    provenance = {"vendor": vendor, "detector": vendor, "detector_version": "1", "vendor_label": word}
    if adapter:
        provenance |= {"model": "mapper-llm", "adapter": adapter, "prompt": "choose.3"}
    return {
        "labels": [{"label": label, "relation": "exact", "confidence": confidence, "severity": 2}],
        "method": method,
        "usage": usage if method == "model" else None,
        "provenance": provenance,
        "versions": {"taxonomy": "2026.11", "mapper": "0.1.0"},
    } | changed


def abstained(word: str, adapter: str) -> dict[str, Any]:
    return mapping(word, "OTHER.Unknown", adapter, confidence=0.0) | {"method": "fallback"}


def failed(word: str, adapter: str) -> dict[str, Any]:
    one = mapping(word, "OTHER.Unknown", adapter, method="fallback", confidence=0.0)
    del one["provenance"]["model"]
    return one


def ruled(word: str, label: str = "PII.Contact.Email") -> dict[str, Any]:
    return mapping(word, label, adapter=None, method="rule")


async def keep(client: httpx.AsyncClient, number: int, *mappings: dict[str, Any], tenant: str = "demo") -> None:
    """Send one event with *mappings*, *number* hours before now."""
    event = samples.event("findings.mapped.v1.producer")
    event |= {"id": f"e{number}", "tenantid": tenant, "time": (NOW - timedelta(hours=number)).isoformat()}
    event["data"] |= {"request_id": f"request-{number}", "mappings": mappings}
    answer = await client.post("/events", json=event, headers=STRUCTURED)
    assert answer.status_code == 204, answer.text


async def get(client: httpx.AsyncClient, path: str, status: int = 200, tenant: str = "demo", **query: Any) -> Any:
    answer = await client.get(f"/api/v1/{path}", params=query, headers={"X-Tenant-ID": tenant})
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.fixture
async def spent(client: httpx.AsyncClient) -> httpx.AsyncClient:
    await keep(client, 1, mapping("A"), mapping("B", vendor="other"), ruled("C"))
    await keep(client, 30, mapping("A", method="cache"), mapping("D"))
    await keep(client, 2, mapping("A"), tenant="somebody-else")
    return client


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("tenant", {"demo": (5, 3)}),
        ("vendor", {"acme": (4, 2), "other": (1, 1)}),
        ("day", {"2026-11-21": (3, 2), "2026-11-20": (2, 1)}),
        ("request", {"request-1": (3, 2), "request-30": (2, 1)}),
    ],
)
async def test_costs_are_summed_by_what_is_asked(
    spent: httpx.AsyncClient, by: str, expected: dict[str, tuple[int, int]]
) -> None:
    answer = await get(spent, "costs", by=by)
    assert {one["name"]: (one["mappings"], one["asked"]) for one in answer["costs"]} == expected
    assert list(expected) == [one["name"] for one in answer["costs"]]
    assert sum(one["cost_microdollars"] for one in answer["costs"]) == 3 * COST
    total = answer["total"]
    assert (total["prompt_tokens"], total["completion_tokens"], total["asked"]) == (240, 6, 3)
    assert total["compute_seconds"] == pytest.approx(0.3)


async def test_the_total_holds_what_the_limit_left_out_and_days_what_is_old(spent: httpx.AsyncClient) -> None:
    answer = await get(spent, "costs", by="vendor", limit=1)
    assert ([one["name"] for one in answer["costs"]], answer["total"]["asked"]) == (["acme"], 3)
    assert (await get(spent, "costs", days=1))["total"]["asked"] == 2


async def test_a_tenant_without_rows_spent_nothing(client: httpx.AsyncClient) -> None:
    answer = await get(client, "costs")
    assert (answer["costs"], answer["alerts"], answer["total"]["cost_microdollars"]) == ([], [], 0)


async def test_alerts_are_shown_once_to_their_tenant(client: httpx.AsyncClient) -> None:
    for name in ("warning", "rules-only", "warning"):
        event = samples.event(f"budget.threshold-reached.v1.{name}")
        assert (await client.post("/events", json=event, headers=STRUCTURED)).status_code == 204
    assert [one["threshold_percent"] for one in (await get(client, "costs"))["alerts"]] == [120, 80]
    assert (await get(client, "costs", tenant="somebody-else"))["alerts"] == []


@pytest.mark.parametrize("query", [{"by": "label"}, {"days": 0}, {"days": 367}, {"limit": 0}, {"by": "vendor' --"}])
async def test_a_question_about_costs_that_does_not_fit_is_refused(
    client: httpx.AsyncClient, query: dict[str, Any]
) -> None:
    assert (await get(client, "costs", 400, **query))["error_code"] == "INVALID_REQUEST"


async def compared(client: httpx.AsyncClient, **query: Any) -> dict[str, dict[str, Any]]:
    return {one["adapter"]: one for one in (await get(client, "experiments", **query))["adapters"]}


async def test_without_rows_there_is_nothing_to_compare(client: httpx.AsyncClient) -> None:
    await keep(client, 1, ruled("A"))
    assert await compared(client) == {}


async def test_the_oldest_version_is_the_control_unless_one_is_named(client: httpx.AsyncClient) -> None:
    await keep(client, 2, mapping("A", adapter="a.1"))
    await keep(client, 1, mapping("B", adapter="b.2"), mapping("C", adapter="b.2"))
    assert list(await compared(client)) == ["a.1", "b.2"]
    named = await compared(client, control="b.2")
    assert [one["control"] for one in named.values()] == [True, False]
    assert list(named) == ["b.2", "a.1"]
    assert (await get(client, "experiments", 400, control="c.3"))["error_code"] == "INVALID_REQUEST"


async def test_a_version_is_older_by_its_first_row_ever(client: httpx.AsyncClient) -> None:
    await keep(client, 24 * 20, mapping("A", adapter="z.1"))
    await keep(client, 2, mapping("B", adapter="a.2"))
    await keep(client, 1, mapping("C", adapter="z.1"))
    reports = await compared(client, days=7)
    assert list(reports) == ["z.1", "a.2"]
    assert reports["z.1"]["mappings"] == 1


async def test_failing_and_abstaining_are_told_apart_and_the_cache_counts_for_neither(
    client: httpx.AsyncClient,
) -> None:
    answers = [mapping(f"W{number}") for number in range(6)]
    cached = [mapping("W1", method="cache"), mapping("W2", method="cache")]
    unsure = [abstained("U1", "a.1"), abstained("U2", "a.1")]
    await keep(client, 1, *answers, *cached, *unsure, failed("F1", "a.1"), failed("F2", "a.1"))
    (report,) = (await compared(client)).values()
    assert (report["labels"], report["mappings"], report["calls"]) == (10, 12, 10)
    assert report["failed"]["value"] == pytest.approx(0.2)
    assert report["abstained"]["value"] == pytest.approx(0.25)
    assert report["abstained"]["low"] < 0.25 < report["abstained"]["high"]


async def test_means_and_differences_have_intervals(client: httpx.AsyncClient) -> None:
    for number in range(30):
        one = mapping(f"A{number}", adapter="a.1", confidence=0.7 + number % 3 / 100, latency_ms=100.0 + number)
        two = mapping(f"B{number}", adapter="b.2", confidence=0.8 + number % 3 / 100, latency_ms=150.0 + number)
        await keep(client, 60 - number, one, two)
    reports = await compared(client)
    control, challenger = reports["a.1"], reports["b.2"]
    assert control["confidence"]["difference"] is None
    assert control["confidence"]["mean"]["value"] == pytest.approx(0.71)
    difference = challenger["confidence"]["difference"]
    assert difference["value"] == pytest.approx(0.1)
    assert difference["low"] < 0.1 < difference["high"] < 0.12
    assert challenger["latency_ms"]["difference"]["value"] == pytest.approx(50.0)
    p50 = control["latency_p50_ms"]
    assert p50["value"] == pytest.approx(114.5)
    assert 100 < p50["low"] < p50["value"] < p50["high"] < 129
    p95 = control["latency_p95_ms"]
    assert (p95["low"] is not None, p95["high"]) == (True, None)  # thirty answers bound the tail on one side
    # Every answer took as many tokens: a mean, and no interval where nothing varies.
    assert control["tokens"]["mean"] == {"value": 82.0, "low": None, "high": None}
    assert control["cost_microdollars"]["mean"]["value"] == COST


async def test_agreement_is_on_labels_that_both_saw(client: httpx.AsyncClient) -> None:
    await keep(client, 9, mapping("A", "PII"), mapping("B"), mapping("C"), mapping("ONLY_A"), failed("E", "a.1"))
    await keep(client, 8, mapping("A"))  # the last word counts
    both = [mapping("A", adapter="b.2"), mapping("B", "HARM", adapter="b.2"), abstained("C", "b.2")]
    await keep(client, 7, *both, mapping("ONLY_B", adapter="b.2"), mapping("E", adapter="b.2"))
    agreement = (await compared(client))["b.2"]["agreement"]
    assert (agreement["labels"], agreement["share"]["value"]) == (3, pytest.approx(1 / 3))


async def test_a_rule_that_came_later_says_who_was_right(client: httpx.AsyncClient) -> None:
    await keep(client, 9, ruled("EARLIER", "HARM"))
    await keep(client, 8, mapping("EARLIER"), mapping("RIGHT"), mapping("WRONG"), mapping("NO_RULE"))
    await keep(client, 7, ruled("RIGHT"), ruled("WRONG", "HARM"))
    rules = (await compared(client))["a.1"]["rules"]
    assert (rules["labels"], rules["share"]["value"]) == (2, 0.5)


async def test_nobody_sees_another_tenants_versions(client: httpx.AsyncClient) -> None:
    await keep(client, 1, mapping("A"), tenant="somebody-else")
    assert await compared(client) == {}
    assert (await client.get("/api/v1/experiments")).status_code == 400
