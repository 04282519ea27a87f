"""The client of the model's server: two tokens in, shares out, every failure one of two problems."""

import asyncio
import contextlib
import json
import math

import httpx
import pytest
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState

from llama_mapper.contracts.problems import RequestTimeout, Unavailable
from mapper_serving.completion import CompletionServer, Grammar
from tests.fakes.predictor import URL, answered, serving

GOOD = httpx.Response(200, json=answered({"A": 0.6, "B": 0.2, "Z": 0.1, "the": 0.1}, {"<": 0.75, "=": 0.25}))


def server(client: httpx.AsyncClient, grammar: Grammar = "vllm") -> CompletionServer:
    breakers = AsyncCircuitBreakerFactory()
    return CompletionServer(URL, "mapper-llm", client, breakers, 30.0, warm_up_pause_seconds=0.0, grammar=grammar)


async def warm(client: httpx.AsyncClient, grammar: Grammar = "vllm") -> CompletionServer:
    """A server that has given its first answer."""
    predictor = server(client, grammar)
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
        httpx.Response(200, json={"choices": [{"logprobs": {"top_logprobs": [{" A": 1e6}, {"=": 0.0}]}}]}),
        httpx.Response(200, content=b'{"choices": [{"logprobs": {"top_logprobs": [{" A": NaN}, {"=": 0}]}}]}'),
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


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 90, "completion_tokens": 2}, (90, 2)),
        ({"prompt_tokens": 90}, (90, 0)),
        ({"prompt_tokens": -1, "completion_tokens": -1}, (0, 0)),
        ({}, (0, 0)),
    ],
)
async def test_tokens_are_the_servers_count_and_none_where_it_does_not_count(
    usage: dict[str, int], tokens: tuple[int, int]
) -> None:
    said = answered({"A": 0.9, "Z": 0.1}, {"=": 1.0}) | {"usage": usage}
    client, _ = serving(httpx.Response(200, json=said))
    completion = await (await warm(client)).ask("ssn ->", 1)
    assert (completion.prompt_tokens, completion.completion_tokens) == tokens


async def test_a_prompt_the_server_refuses_is_no_failure_of_the_server() -> None:
    too_long = httpx.Response(400, json={"error": {"message": "longer than the context"}})
    client, asked = serving(GOOD, GOOD, *[too_long] * 20, GOOD)
    predictor = await warm(client)
    for number in range(20):
        with pytest.raises(Unavailable, match="refused"):
            await predictor.ask(f"long {number} ->", 2)
    assert (await predictor.ask("ssn ->", 2)).prompt_tokens == 90
    assert len(asked) == 23


@pytest.mark.parametrize(
    ("letters", "marks"),
    [
        ({"the": 0.9, "A": 0.05}, {"=": 1.0}),
        ({"the": 0.5, "hello": 0.5}, {"=": 1.0}),
        ({"A": 0.9, "Z": 0.1}, {"pple": 1.0}),
        ({"A": 0.9, "Z": 0.1}, None),
        ({"C": 0.9, "A": 0.1}, {"=": 1.0}),  # no third candidate was offered
    ],
)
async def test_an_answer_outside_the_grammar_is_none_and_no_failure(
    letters: dict[str, float], marks: dict[str, float] | None
) -> None:
    client, _ = serving(GOOD, GOOD, *[httpx.Response(200, json=answered(letters, marks))] * 6, GOOD)
    predictor = await warm(client)
    for number in range(6):
        with pytest.raises(Unavailable, match="outside the grammar"):
            await predictor.ask(f"odd {number} ->", 2)
    assert (await predictor.ask("ssn ->", 2)).prompt_tokens == 90


async def test_a_letter_counts_with_its_leading_space_and_without() -> None:
    both = answered({"A": 0.4, "Z": 0.2}, {"=": 1.0})
    both["choices"][0]["logprobs"]["top_logprobs"][0]["A"] = math.log(0.2)
    client, _ = serving(GOOD, GOOD, httpx.Response(200, json=both))
    assert (await (await warm(client)).ask("ssn ->", 2)).letters[0] == pytest.approx(0.75, abs=1e-4)


async def test_log_probabilities_as_chats_have_them_are_read_alike() -> None:
    def position(shares: dict[str, float]) -> dict[str, object]:
        return {"top_logprobs": [{"token": token, "logprob": math.log(share)} for token, share in shares.items()]}

    content = [position({" A": 0.6, " B": 0.2, " Z": 0.1, " the": 0.1}), position({"<": 0.75, "=": 0.25})]
    as_chat = httpx.Response(200, json={"choices": [{"logprobs": {"content": content}}], "usage": {}})
    client, _ = serving(GOOD, GOOD, as_chat)
    predictor = await warm(client)
    usual, other = await predictor.ask("ssn ->", 2), await predictor.ask("ssn 2 ->", 2)
    assert (other.letters, other.none, other.relations) == (usual.letters, usual.none, usual.relations)


@pytest.mark.parametrize(
    ("grammar", "field", "value"),
    [
        ("vllm", "structured_outputs", {"choice": [" A=", " A<", " A>", " A~", " Z="]}),
        ("gbnf", "grammar", 'root ::= " A=" | " A<" | " A>" | " A~" | " Z="'),
        ("none", None, None),
    ],
)
async def test_each_kind_of_server_is_told_the_grammar_in_its_own_way(
    grammar: Grammar, field: str | None, value: object
) -> None:
    client, asked = serving(GOOD)
    await (await warm(client, grammar)).ask("ssn ->", 1)
    body = json.loads(asked[-1].content)
    own = {name: body[name] for name in ("structured_outputs", "grammar") if name in body}
    assert own == ({field: value} if field else {})


async def test_an_open_breaker_does_not_hold_on_to_the_requests_it_refused() -> None:
    client, _ = serving(GOOD, GOOD, httpx.Response(500))
    predictor = await warm(client)
    kept = []
    for number in range(50):
        with pytest.raises(Unavailable) as refused:
            await predictor.ask(f"ssn {number} ->", 2)
        if isinstance(refused.value.__context__, OpenedState):
            kept.append(refused.value.__context__)
    assert len(set(map(id, kept))) == 1
    assert kept[0].__traceback__ is None
