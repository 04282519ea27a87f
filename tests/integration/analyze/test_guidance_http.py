"""Questions about rules as functions-framework serves them: answered, refused, and never kept."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from llama_mapper.contracts.retrieval import RetrievalResponse
from tests.fakes.functions import serving

PATH = "/api/v1/rag/query"
CANARY = "zanzibarcanary"


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setenv("ANALYSIS_LOG_LEVEL", "DEBUG")
    async with serving("analyze") as (client, _):
        yield client


async def test_a_question_is_answered_with_passages_and_where_they_come_from(client: httpx.AsyncClient) -> None:
    asked = {"question": "What does GDPR article 33(1) ask for?", "limit": 2}
    answer = RetrievalResponse.model_validate_json((await client.post(PATH, json=asked)).content)
    assert not answer.abstained
    assert len(answer.passages) == 2
    first = answer.passages[0]
    assert (first.framework, first.section) == ("gdpr", "Art. 33(1)")
    assert first.citation == "Regulation (EU) 2016/679, Article 33(1)"
    assert "72 hours" in first.text
    assert str(first.published) == "2016-05-04"


async def test_where_nothing_answers_it_abstains(client: httpx.AsyncClient) -> None:
    answer = (await client.post(PATH, json={"question": "What does GDPR article 200 say?"})).json()
    assert (answer["abstained"], answer["passages"]) == (True, [])
    assert answer["knowledge_version"].startswith("2026.")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"question": f"Is {CANARY}@example.org personal?"}, "question"),
        ({"question": f"{CANARY}\nsecond line"}, "question"),
        ({"question": CANARY, "frameworks": ["gdpr", CANARY]}, "frameworks.1"),
        ({"question": CANARY, "limit": 21}, "limit"),
        ({"question": CANARY, "tenant": "demo"}, "(unknown field)"),
        ({}, "question"),
    ],
    ids=range(6),
)
async def test_a_wrong_field_is_named_and_the_question_not_shown(
    client: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    response = await client.post(PATH, json=body)
    assert response.status_code == 400, response.text
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert CANARY not in response.text


async def test_a_question_stands_in_no_answer_no_line_and_no_metric(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    answers = [
        await client.post(PATH, json={"question": f"Does GDPR want a breach at {CANARY} reported within 72 hours?"}),
        await client.post(PATH, json={"question": f"Who is {CANARY}?"}),
        await client.post(PATH, json={"question": f"{CANARY} 4111 1111 1111 1111"}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 400]
    metrics = (await client.get("/metrics")).text
    written = capfd.readouterr()
    for kept in (*(answer.text for answer in answers), metrics, caplog.text, written.out, written.err):
        assert CANARY not in kept
