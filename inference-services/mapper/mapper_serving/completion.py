"""Ask an OpenAI-compatible server (vLLM, TGI …) for the two tokens that are an answer, with their log-probabilities."""

import asyncio
import math
from typing import Any

import httpx
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState

from llama_mapper.chassis import correlation
from llama_mapper.contracts.problems import RequestTimeout, Unavailable
from llama_mapper.contracts.prompt import ANSWER_TOKENS, LETTERS, MARK_RELATIONS, MAX_CANDIDATES, NONE, choices
from llama_mapper.contracts.wire import Wire

_FLOOR = 1e-6
_TOP = 20
_WARM_UP = "email -> A\nnone of these -> Z\ne mail ->"
WARM_UP_SECONDS = 60.0


class _Gone(Exception):
    """Nobody listens any more."""


class Completion(Wire):
    """A probability for each letter (then none), summing to 1, and for each relation."""

    letters: tuple[float, ...]
    none: float
    relations: dict[str, float]
    prompt_tokens: int


class CompletionServer:
    """*url* is the server's base, *model* the name it serves (on a GPU the adapter's, on a CPU the merged weights')."""

    def __init__(
        self,
        url: str,
        model: str,
        client: httpx.AsyncClient,
        breakers: AsyncCircuitBreakerFactory,
        seconds: float,
        warm_up_pause_seconds: float = 1.0,
    ) -> None:
        self._url = url.rstrip("/") + "/v1/completions"
        self.model = model
        self._client = client
        self._breakers = breakers
        self._seconds = seconds
        self._warm_up_pause_seconds = warm_up_pause_seconds
        self._warming: asyncio.Task[None] | None = None

    def start(self) -> None:
        """See to it in the background that the server gives its first answer; call inside the running loop."""
        if self._warming is None:
            self._warming = asyncio.get_running_loop().create_task(self._warm_up())

    async def _warm_up(self) -> None:
        """Ask without hurry until there is an answer: the first one under a grammar takes seconds, and asking again and
        again with a short deadline would only make the server begin anew."""
        while True:
            try:
                await self._post(self._body(_WARM_UP, MAX_CANDIDATES), WARM_UP_SECONDS)
            except (RequestTimeout, Unavailable, _Gone):
                await asyncio.sleep(self._warm_up_pause_seconds)
            else:
                return

    async def ask(self, prompt: str, candidates: int) -> Completion:
        """Return the server's answer, which can only be one of the grammar's.

        Raises:
            RequestTimeout: not within the budget.
            Unavailable: no connection, a refusal, an answer in another shape, the breaker is open, or the server has
                not given its first answer yet.
        """
        self.start()
        if self._warming is None or not self._warming.done():
            raise Unavailable("the predictor is warming up", retry_after_seconds=1)
        breaker = await self._breakers.get_breaker("predictor", threshold=5, ttl=10)
        try:
            async with breaker:
                return _read(await self._post(self._body(prompt, candidates), self._seconds), candidates)
        except OpenedState:
            raise Unavailable("the predictor is resting after failures") from None
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
            "structured_outputs": {"choice": choices(candidates)},
        }

    async def _post(self, body: dict[str, Any], seconds: float) -> Any:
        headers = {correlation.HEADER: correlation.current()}
        try:
            answer = await self._client.post(self._url, json=body, headers=headers, timeout=seconds)
        except httpx.TimeoutException as error:
            raise RequestTimeout("the predictor did not answer in time") from error
        except httpx.HTTPError as error:
            raise _Gone from error
        if answer.status_code != 200:
            raise Unavailable("the predictor refused the request")
        try:
            return answer.json()
        except ValueError as error:
            raise Unavailable("the predictor answered in a shape we do not know") from error


def _read(answer: Any, candidates: int) -> Completion:
    """Turn the first token's log-probabilities into shares of the allowed letters, the second's into relations."""
    try:
        tops = answer["choices"][0]["logprobs"]["top_logprobs"]
        first, second = tops[0], tops[1] if len(tops) > 1 else {}
        letters = _shares(first, [*LETTERS[:candidates], NONE])
        marks = _shares(second, list(MARK_RELATIONS))
        prompt_tokens = int(answer.get("usage", {}).get("prompt_tokens", 0))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise Unavailable("the predictor answered in a shape we do not know") from error
    relations = dict(zip(MARK_RELATIONS.values(), marks, strict=True))
    return Completion(
        letters=tuple(letters[:-1]), none=letters[-1], relations=dict(relations), prompt_tokens=prompt_tokens
    )


def _shares(top: dict[str, float], tokens: list[str]) -> list[float]:
    """Probabilities of *tokens* (a letter comes with its leading space), renormalised over them."""
    said = {token.strip(): float(value) for token, value in top.items()}
    weights = [max(_FLOOR, math.exp(said[token])) if token in said else _FLOOR for token in tokens]
    total = sum(weights)
    return [round(weight / total, 6) for weight in weights]
