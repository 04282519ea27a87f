"""The review queue over HTTP."""

from typing import Any

import httpx
import pytest

from .conftest import EMAIL, Client, problem

NEW = EMAIL | {"label": "NEVER_HEARD", "description": "an address of the post"}
DEMO, ACME = {"X-Tenant-ID": "demo"}, {"X-Tenant-ID": "acme"}
ACCEPT = {"decision": "accept", "labels": [{"label": "PII.Contact.Email", "relation": "broader"}], "by": "ada"}
REJECT = {"decision": "reject", "by": "ada"}


@pytest.fixture
async def asked(client: Client) -> httpx.AsyncClient:
    asked = client(platform_tenants=frozenset({"demo"}))
    for _ in range(2):
        assert (await asked.post("/api/v1/map", json=NEW, headers=DEMO)).json()["review"]
    return asked


async def queue(asked: httpx.AsyncClient, headers: dict[str, str] = DEMO, **params: str) -> list[dict[str, Any]]:
    response = await asked.get("/api/v1/reviews", params=params, headers=headers)
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.json()
    return items


async def decide(asked: httpx.AsyncClient, body: Any, headers: dict[str, str] = DEMO) -> httpx.Response:
    (item,) = await queue(asked)
    return await asked.post(f"/api/v1/reviews/{item['id']}", json=body, headers=headers)


async def test_a_label_waits_with_its_words_how_often_it_came_and_why(asked: httpx.AsyncClient) -> None:
    (item,) = await queue(asked)
    words = {name: item[name] for name in ("detector", "detector_version", "label", "description", "count")}
    assert words == NEW | {"count": 2}
    assert (item["reason"], item["candidates"], item["decision"]) == ("unknown", [], None)
    assert item["first_seen"] <= item["last_seen"]
    assert (await asked.get(f"/api/v1/reviews/{item['id']}", headers=DEMO)).json() == item


async def test_an_accepted_label_is_a_rule_at_once(asked: httpx.AsyncClient) -> None:
    response = await decide(asked, ACCEPT | {"note": "their word"})
    assert response.status_code == 200, response.text
    decision = response.json()["decision"]
    assert (decision["by"], decision["note"], decision["scope"]) == ("ada", "their word", "tenant")
    mapping = (await asked.post("/api/v1/map", json=NEW, headers=DEMO)).json()
    assert (mapping["method"], mapping["review"]) == ("rule", False)
    assert [(one["label"], one["relation"], one["confidence"]) for one in mapping["labels"]] == [
        ("PII.Contact.Email", "broader", 0.97)
    ]
    assert mapping["provenance"]["vocabulary"] == "reviewed:presidio"
    assert await queue(asked) == await queue(asked, state="rejected") == []
    assert [item["label"] for item in await queue(asked, state="accepted")] == ["NEVER_HEARD"]


async def test_a_rejected_label_has_no_home_and_does_not_come_back(asked: httpx.AsyncClient) -> None:
    assert (await decide(asked, REJECT)).status_code == 200
    mapping = (await asked.post("/api/v1/map", json=NEW, headers=DEMO)).json()
    assert ([one["label"] for one in mapping["labels"]], mapping["review"]) == (["OTHER.Unknown"], False)
    assert await queue(asked) == await queue(asked, state="accepted") == []
    assert len(await queue(asked, state="rejected")) == 1


async def test_a_tenant_sees_and_decides_its_own_labels_alone(asked: httpx.AsyncClient) -> None:
    (item,) = await queue(asked)
    assert await queue(asked, ACME) == []
    problem(await asked.get(f"/api/v1/reviews/{item['id']}", headers=ACME), 404)
    problem(await decide(asked, ACCEPT, ACME), 404)
    await decide(asked, ACCEPT)
    assert (await asked.post("/api/v1/map", json=NEW, headers=ACME)).json()["review"]


async def test_only_a_tenant_of_the_platform_decides_for_all(asked: httpx.AsyncClient) -> None:
    for_all = ACCEPT | {"scope": "platform"}
    await asked.post("/api/v1/map", json=NEW, headers=ACME)
    assert problem(await decide(asked, for_all, ACME), 403)["error_code"] == "INSUFFICIENT_RBAC"
    assert (await decide(asked, for_all)).status_code == 200
    assert (await asked.post("/api/v1/map", json=NEW, headers=ACME)).json()["method"] == "rule"
    assert await queue(asked, ACME) == await queue(asked, state="accepted") == []
    assert len(await queue(asked, ACME, state="accepted", scope="platform")) == 1


async def test_nobody_decides_for_all_where_no_tenant_is_named(client: Client) -> None:
    asked = client()
    await asked.post("/api/v1/map", json=NEW, headers=DEMO)
    problem(await decide(asked, ACCEPT | {"scope": "platform"}), 403)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"labels": []}, "(body)"),
        ({"decision": "reject"}, "(body)"),
        ({"decision": "perhaps"}, "decision"),
        ({"by": None}, "by"),
        ({"by": "ada lovelace"}, "by"),
        ({"note": "write to canary@example.org"}, "note"),
        ({"labels": [{"label": "PII.Contact.Mail"}]}, "labels.0.label"),
        ({"labels": [{"label": "OTHER.Unknown"}]}, "labels.0.label"),
        ({"labels": [{"label": "HARM"}, {"label": "HARM", "relation": "related"}]}, "(body)"),
        ({"labels": [{"label": "HARM"}, {"label": "SAFETY_NEGATIVE.NONE"}]}, "labels.1"),
        ({"labels": [{"label": "SAFETY_NEGATIVE.NONE", "relation": "related"}]}, "labels.0"),
        ({"labels": [{"label": "SAFETY_NEGATIVE"}]}, "labels.0"),
        ({"labels": [{"label": "HARM", "relation": "same"}]}, "labels.0.relation"),
        ({"at": "2026-11-23T08:00:00Z"}, "(unknown field)"),
    ],
)
async def test_what_cannot_be_decided_is_refused_and_the_label_goes_on_waiting(
    asked: httpx.AsyncClient, changes: dict[str, Any], field: str
) -> None:
    response = await decide(asked, ACCEPT | changes)
    assert [error["field"] for error in problem(response, 400)["errors"]] == [field]
    assert "canary" not in response.text
    assert len(await queue(asked)) == 1


async def test_a_label_can_mean_that_nothing_was_found(asked: httpx.AsyncClient) -> None:
    assert (await decide(asked, ACCEPT | {"labels": [{"label": "SAFETY_NEGATIVE.NONE"}]})).status_code == 200
    mapping = (await asked.post("/api/v1/map", json=NEW, headers=DEMO)).json()
    assert (mapping["negative"], mapping["labels"][0]["severity"]) == (True, 0)


@pytest.mark.parametrize("review_id", ["0123456789abcdef", "x", "0123456789ABCDEF"])
async def test_an_id_of_nothing_is_a_problem(asked: httpx.AsyncClient, review_id: str) -> None:
    status = 404 if review_id == "0123456789abcdef" else 400
    problem(await asked.post(f"/api/v1/reviews/{review_id}", json=ACCEPT, headers=DEMO), status)


@pytest.mark.parametrize("limit", ["-5", "0", "1", "999999"])
async def test_a_limit_is_brought_into_bounds(asked: httpx.AsyncClient, limit: str) -> None:
    assert len(await queue(asked, limit=limit)) == 1


@pytest.mark.parametrize(("name", "value"), [("state", "lost"), ("scope", "world"), ("limit", "many")])
async def test_a_question_that_makes_no_sense_is_refused(asked: httpx.AsyncClient, name: str, value: str) -> None:
    problem(await asked.get("/api/v1/reviews", params={name: value}, headers=DEMO), 400)
