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


class Completion(Wire):
    """A probability for each letter (then none), summing to 1, and for each relation."""

    letters: tuple[float, ...]
    none: float
    relations: dict[str, float]
    prompt_tokens: int


class CompletionServer:
    """*url* is the server's base, *model* the name it serves (on a GPU the adapter's, on a CPU the merged weights')."""

    def __init__(
        self, url: str, model: str, client: httpx.AsyncClient, breakers: AsyncCircuitBreakerFactory, seconds: float
    ) -> None:
        self._url = url.rstrip("/") + "/v1/completions"
        self.model = model
        self._client = client
        self._breakers = breakers
        self._seconds = seconds
        self._warming: asyncio.Task[bool] | None = None

    async def _warm_up(self) -> bool:
        """Ask once without hurry: a server's first answer under a grammar takes seconds, and asking again and again
        with a short deadline would only make it begin anew."""
        try:
            await self._post(self._body(_WARM_UP, MAX_CANDIDATES), WARM_UP_SECONDS)
        except (RequestTimeout, Unavailable):
            return False
        return True

    def _is_warm(self) -> bool:
        """Whether the server has answered since it was last away; if not, see to it in the background."""
        if self._warming is not None and self._warming.done() and self._warming.result():
            return True
        if self._warming is None or self._warming.done():
            self._warming = asyncio.get_running_loop().create_task(self._warm_up())
        return False

    async def ask(self, prompt: str, candidates: int) -> Completion:
        """Return the server's answer, which can only be one of the grammar's.

        Raises:
            RequestTimeout: not within the budget.
            Unavailable: no connection, a refusal, an answer in another shape, the breaker is open, or the server has
                not given its first answer yet.
        """
        if not self._is_warm():
            raise Unavailable("the predictor is warming up", retry_after_seconds=1)
        breaker = await self._breakers.get_breaker("predictor", threshold=5, ttl=10)
        try:
            async with breaker:
                return _read(await self._post(self._body(prompt, candidates), self._seconds), candidates)
        except OpenedState:
            raise Unavailable("the predictor is resting after failures") from None

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
            self._warming = None  # gone; a new one starts cold
            raise Unavailable("the predictor does not answer") from error
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
