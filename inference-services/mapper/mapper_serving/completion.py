"""Ask an OpenAI-compatible server (vLLM, TGI …) for the two tokens that are an answer, with their log-probabilities."""

import asyncio
import math
from collections.abc import Mapping
from typing import Any, Literal

import httpx
from opentelemetry.trace import SpanKind
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState

from llama_mapper.chassis import correlation, tracing
from llama_mapper.contracts.problems import RequestTimeout, Unavailable
from llama_mapper.contracts.prompt import ANSWER_TOKENS, LETTERS, MARK_RELATIONS, MAX_CANDIDATES, NONE, choices
from llama_mapper.contracts.wire import Token, Wire

from .revisions import UNKNOWN, Call, Revisions
from .turns import Turns

Grammar = Literal["vllm", "gbnf", "none"]
"""How a server is told what it may answer: vLLM's ``structured_outputs``, llama.cpp's ``grammar``, not at all."""

_FLOOR = 1e-6
_TOP = 20
# A server without a grammar must say by itself what the grammar would have it say; the adapter does so at 0.99.
_LEAST_SHARE = 0.5
_WARM_UP = "email -> A\nnone of these -> Z\ne mail ->"
WARM_UP_SECONDS = 60.0
CALL_SECONDS = 15.0
"""A server that needs longer for one answer hangs; its caller has gone long before, the answer is for the next."""
CONCURRENCY = 16


class _Gone(Exception):
    """Nobody listens any more."""


class _Unusable(Exception):
    """The server is well, but has no answer to this prompt: no failure that should open the breaker."""


class Completion(Wire):
    """A probability for each letter (then none), summing to 1, and for each relation."""

    letters: tuple[float, ...]
    none: float
    relations: dict[str, float]
    prompt_tokens: int
    completion_tokens: int = 0
    revision: Token = UNKNOWN


class CompletionServer:
    """*url* is the server's base, *model* the name it serves (on a GPU the adapter's, on a CPU the merged weights').

    Those that ask the same server for different models share its *turns*.
    """

    def __init__(
        self,
        url: str,
        model: str,
        client: httpx.AsyncClient,
        breakers: AsyncCircuitBreakerFactory,
        seconds: float,
        warm_up_pause_seconds: float = 1.0,
        turns: Turns[Completion] | None = None,
        grammar: Grammar = "vllm",
        revisions: Revisions | None = None,
    ) -> None:
        self._url = url.rstrip("/") + "/v1/completions"
        self.model = model
        self._client = client
        self._breakers = breakers
        self._seconds = seconds
        self._warm_up_pause_seconds = warm_up_pause_seconds
        self._warming: asyncio.Task[None] | None = None
        self._turns = turns or Turns(CONCURRENCY)
        self._grammar = grammar
        self._revisions = revisions or Revisions((), 0.0)

    def start(self) -> None:
        """See to it in the background that the server gives its first answer; call inside the running loop."""
        if self._warming is None:
            self._warming = asyncio.get_running_loop().create_task(self._warm_up())

    async def _warm_up(self) -> None:
        """Ask without hurry until there is an answer: the first one under a grammar takes seconds, and asking again and
        again with a short deadline would only make the server begin anew."""
        while True:
            try:
                await self._post(self._body(_WARM_UP, MAX_CANDIDATES), WARM_UP_SECONDS, Call())
            except (RequestTimeout, Unavailable, _Unusable, _Gone):
                await asyncio.sleep(self._warm_up_pause_seconds)
            else:
                return

    async def ask(self, prompt: str, candidates: int) -> Completion:
        """Return the server's answer, which can only be one of the grammar's.

        Raises:
            RequestTimeout: not within the budget, or within what the caller said (``turns.waiting``).
            Unavailable: no connection, a refusal, an answer in another shape or outside the grammar, the breaker is
                open, or the server has not given its first answer yet.
        """
        self.start()
        if self._warming is None or not self._warming.done():
            raise Unavailable("the predictor is warming up", retry_after_seconds=1)
        key = (self.model, prompt, candidates)
        return await self._turns.ask(key, lambda: self._call(prompt, candidates), self._seconds)

    async def _call(self, prompt: str, candidates: int) -> Completion:
        asked: tracing.Attributes = {"gen_ai.operation.name": "text_completion", "gen_ai.request.model": self.model}
        with tracing.span(f"text_completion {self.model}", SpanKind.CLIENT, asked) as span:
            found = await self._answer(prompt, candidates)
            tracing.note(span, {"gen_ai.usage.input_tokens": found.prompt_tokens})
            tracing.note(span, {"gen_ai.usage.output_tokens": found.completion_tokens})
            return found

    async def _answer(self, prompt: str, candidates: int) -> Completion:
        breaker = await self._breakers.get_breaker("predictor", threshold=5, ttl=10, exclude=[_Unusable])
        try:
            async with breaker:
                with self._revisions.call(self._seconds) as call:
                    seconds = max(CALL_SECONDS, self._seconds)
                    found = _read(await self._post(self._body(prompt, candidates), seconds, call), candidates)
                    call.outcome = "answered"
                return found.model_copy(update={"revision": call.revision})
        except OpenedState as opened:
            opened.__traceback__ = None  # it is one object, raised again and again: it would keep every frame
            raise Unavailable("the predictor is resting after failures") from None
        except _Unusable as error:
            raise Unavailable(str(error)) from error
        except _Gone as error:
            self._warming = None  # a new one starts cold
            raise Unavailable("the predictor does not answer") from error

    def _body(self, prompt: str, candidates: int) -> dict[str, Any]:
        return {
            "model": self.model,
            "prompt": prompt,
            "max_tokens": ANSWER_TOKENS,
            "temperature": 0,
            "logprobs": _TOP,
            **_constraint(self._grammar, candidates),
        }

    async def _post(self, body: dict[str, Any], seconds: float, call: Call) -> Any:
        headers: dict[str, str] = {correlation.HEADER: correlation.current()}
        if trace := correlation.traceparent():
            headers["traceparent"] = trace
        try:
            async with asyncio.timeout(seconds):  # httpx bounds each connect and each read by itself
                answer = await self._client.post(self._url, json=body, headers=headers, timeout=seconds)
        except (httpx.TimeoutException, TimeoutError) as error:
            raise RequestTimeout("the predictor did not answer in time") from error
        except httpx.HTTPError as error:
            raise _Gone from error
        call.came_from(answer.headers)
        if answer.status_code != 200:
            ours = 400 <= answer.status_code < 500 and answer.status_code != 429  # a prompt it has no room for
            raise (_Unusable if ours else Unavailable)("the predictor refused the request")
        call.outcome = "invalid"
        try:
            return answer.json()
        except ValueError as error:
            raise Unavailable("the predictor answered in a shape we do not know") from error


def _constraint(grammar: Grammar, candidates: int) -> dict[str, Any]:
    """What tells the server that only the answers of *candidates* are allowed."""
    allowed = choices(candidates)
    if grammar == "vllm":
        return {"structured_outputs": {"choice": allowed}}
    if grammar == "gbnf":
        return {"grammar": "root ::= " + " | ".join(f'"{answer}"' for answer in allowed)}
    return {}


def _read(answer: Any, candidates: int) -> Completion:
    """Turn the first token's log-probabilities into shares of the allowed letters, the second's into relations."""
    try:
        tops = _tops(answer["choices"][0]["logprobs"])
        first, second = tops[0], tops[1] if len(tops) > 1 else {}
        letters, letters_said = _shares(first, [*LETTERS[:candidates], NONE])
        marks, marks_said = _shares(second, list(MARK_RELATIONS))
        prompt_tokens, completion_tokens = (
            max(0, int(answer.get("usage", {}).get(name, 0))) for name in ("prompt_tokens", "completion_tokens")
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise Unavailable("the predictor answered in a shape we do not know") from error
    # Next to nothing, renormalised, would look like an answer and be a guess.
    if not (letters_said >= _LEAST_SHARE and marks_said >= _LEAST_SHARE):
        raise _Unusable("the predictor answered outside the grammar")
    relations = dict(zip(MARK_RELATIONS.values(), marks, strict=True))
    return Completion(
        letters=tuple(letters[:-1]),
        none=letters[-1],
        relations=dict(relations),
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
    )


def _tops(logprobs: Any) -> list[Mapping[str, float]]:
    """The likeliest tokens at each position, as completions have them (vLLM) or as chats do (llama.cpp's server)."""
    if "content" in logprobs:
        return [{top["token"]: top["logprob"] for top in position["top_logprobs"]} for position in logprobs["content"]]
    tops: list[Mapping[str, float]] = logprobs["top_logprobs"]
    return tops


def _shares(top: Mapping[str, float], tokens: list[str]) -> tuple[list[float], float]:
    """Probabilities of *tokens* (with their leading space or without), renormalised over them, and their sum before."""
    said = dict.fromkeys(tokens, 0.0)
    for token, value in top.items():
        if (name := token.strip()) in said:
            said[name] += math.exp(float(value))
    weights = [max(_FLOOR, said[token]) for token in tokens]
    total = sum(weights)
    return [round(weight / total, 6) for weight in weights], sum(said.values())
