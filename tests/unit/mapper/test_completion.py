"""The client of the model's server: two tokens in, shares out, every failure one of two problems."""

import asyncio
import contextlib
import json

import httpx
import pytest
from purgatory import AsyncCircuitBreakerFactory

from llama_mapper.contracts.problems import RequestTimeout, Unavailable
from mapper_serving.completion import CompletionServer
from tests.fakes.predictor import URL, answered, serving

GOOD = httpx.Response(200, json=answered({"A": 0.6, "B": 0.2, "Z": 0.1, "the": 0.1}, {"<": 0.75, "=": 0.25}))


def server(client: httpx.AsyncClient) -> CompletionServer:
    return CompletionServer(URL, "mapper-llm", client, AsyncCircuitBreakerFactory(), 0.4, warm_up_pause_seconds=0.0)


async def warm(client: httpx.AsyncClient) -> CompletionServer:
    """A server that has given its first answer."""
    predictor = server(client)
    while True:
        with contextlib.suppress(Unavailable):
            await predictor.ask("warm up ->", 2)
            return predictor
        await asyncio.sleep(0)


async def test_shares_are_of_the_allowed_letters_only() -> None:
    client, _ = serving(GOOD)
    completion = await (await warm(client)).ask("ssn ->", 2)
    assert completion.letters == pytest.approx((0.6 / 0.9, 0.2 / 0.9), abs=1e-4)
    assert completion.none == pytest.approx(0.1 / 0.9, abs=1e-4)
    assert max(completion.relations, key=lambda name: completion.relations[name]) == "broader"
    assert completion.prompt_tokens == 90


async def test_a_letter_the_server_does_not_name_is_next_to_impossible() -> None:
    client, _ = serving(GOOD)
    assert (await (await warm(client)).ask("ssn ->", 4)).letters[2] < 1e-5


async def test_the_answer_is_bound_to_the_grammar() -> None:
    client, asked = serving(GOOD)
    await (await warm(client)).ask("ssn ->", 2)
    body = json.loads(asked[-1].content)
    assert str(asked[-1].url) == URL + "/v1/completions"
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
    client, _ = serving(GOOD, GOOD, answer)
    predictor = await warm(client)
    with pytest.raises(Unavailable):
        await predictor.ask("ssn ->", 2)


async def test_a_slow_server_is_a_timeout() -> None:
    client, _ = serving(GOOD, GOOD, httpx.ReadTimeout("slow"))
    predictor = await warm(client)
    with pytest.raises(RequestTimeout):
        await predictor.ask("ssn ->", 2)


async def test_before_its_first_answer_a_server_is_not_waited_for() -> None:
    client, asked = serving(GOOD)
    predictor = server(client)
    with pytest.raises(Unavailable, match="warming up"):
        await predictor.ask("ssn ->", 2)
    assert asked == []


async def test_a_server_that_is_not_there_yet_is_asked_until_it_is() -> None:
    client, asked = serving(httpx.ConnectError("refused"), httpx.ConnectError("refused"), GOOD)
    predictor = await warm(client)
    assert len(asked) == 4
    assert (await predictor.ask("ssn ->", 2)).prompt_tokens == 90


async def test_a_server_that_was_away_is_warmed_up_again() -> None:
    client, _ = serving(GOOD, GOOD, httpx.ConnectError("refused"), GOOD)
    predictor = await warm(client)
    with pytest.raises(Unavailable, match="does not answer"):
        await predictor.ask("ssn ->", 2)
    with pytest.raises(Unavailable, match="warming up"):
        await predictor.ask("ssn ->", 2)


async def test_after_five_failures_the_server_is_left_alone() -> None:
    client, asked = serving(GOOD, GOOD, httpx.Response(500))
    predictor = await warm(client)
    before = len(asked)
    for _ in range(7):
        with pytest.raises(Unavailable):
            await predictor.ask("ssn ->", 2)
    assert len(asked) - before == 5
