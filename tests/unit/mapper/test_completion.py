"""The client of the model's server: two tokens in, shares out, every failure one of two problems."""

import json

import httpx
import pytest
from purgatory import AsyncCircuitBreakerFactory

from llama_mapper.contracts.problems import RequestTimeout, Unavailable
from mapper_serving.completion import CompletionServer
from tests.fakes.predictor import URL, answered, serving

GOOD = httpx.Response(200, json=answered({"A": 0.6, "B": 0.2, "Z": 0.1, "the": 0.1}, {"<": 0.75, "=": 0.25}))


def server(client: httpx.AsyncClient) -> CompletionServer:
    return CompletionServer(URL, "mapper-llm", client, AsyncCircuitBreakerFactory(), 0.4)


async def test_shares_are_of_the_allowed_letters_only() -> None:
    client, _ = serving(GOOD)
    completion = await server(client).ask("ssn ->", 2)
    assert completion.letters == pytest.approx((0.6 / 0.9, 0.2 / 0.9), abs=1e-4)
    assert completion.none == pytest.approx(0.1 / 0.9, abs=1e-4)
    assert max(completion.relations, key=lambda name: completion.relations[name]) == "broader"
    assert completion.prompt_tokens == 90


async def test_a_letter_the_server_does_not_name_is_next_to_impossible() -> None:
    client, _ = serving(GOOD)
    assert (await server(client).ask("ssn ->", 4)).letters[2] < 1e-5


async def test_the_answer_is_bound_to_the_grammar() -> None:
    client, asked = serving(GOOD)
    await server(client).ask("ssn ->", 2)
    body = json.loads(asked[0].content)
    assert str(asked[0].url) == URL + "/v1/completions"
    assert (body["max_tokens"], body["temperature"], body["model"]) == (2, 0, "mapper-llm")
    assert body["structured_outputs"] == {"choice": [f" {x}{m}" for x in "AB" for m in "=<>~"] + [" Z="]}


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(400, json={"error": "no such model"}),
        httpx.Response(200, content=b"not json"),
        httpx.Response(200, json={}),
        httpx.Response(200, json={"choices": []}),
        httpx.Response(200, json={"choices": [{"logprobs": None}]}),
        httpx.Response(200, json={"choices": [{"logprobs": {"top_logprobs": [{" A": "high"}]}}]}),
        httpx.ConnectError("refused"),
    ],
)
async def test_whatever_goes_wrong_is_unavailable(answer: httpx.Response | Exception) -> None:
    client, _ = serving(answer)
    with pytest.raises(Unavailable):
        await server(client).ask("ssn ->", 2)


async def test_a_slow_server_is_a_timeout() -> None:
    client, _ = serving(httpx.ReadTimeout("slow"))
    with pytest.raises(RequestTimeout):
        await server(client).ask("ssn ->", 2)


async def test_after_five_failures_the_server_is_left_alone() -> None:
    client, asked = serving(httpx.ConnectError("refused"))
    predictor = server(client)
    for _ in range(7):
        with pytest.raises(Unavailable):
            await predictor.ask("ssn ->", 2)
    assert len(asked) == 5
