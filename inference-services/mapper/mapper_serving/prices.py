"""What the model's work costs: tokens and the time it was busy, by a price table that is data (``prices.yaml``)."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, StringConstraints, ValidationError

from llama_mapper.chassis.settings import SettingsError
from llama_mapper.contracts.mapping import Usage
from llama_mapper.contracts.wire import Prose, Token, Wire

from .completion import Completion

MICRO = 1_000_000
Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Rate(Wire):
    """Prices of one kind of server: a hosted one has token prices, one's own the price of its machine."""

    prompt_dollars_per_1k_tokens: Dollars = 0
    completion_dollars_per_1k_tokens: Dollars = 0
    dollars_per_hour: Dollars = 0

    def microdollars(self, prompt_tokens: int, completion_tokens: int, compute_seconds: float) -> float:
        prompt = prompt_tokens / 1_000 * self.prompt_dollars_per_1k_tokens
        completion = completion_tokens / 1_000 * self.completion_dollars_per_1k_tokens
        return (prompt + completion + compute_seconds / 3_600 * self.dollars_per_hour) * MICRO


class ModelRate(Rate):
    """A rate for the served names that match ``model``, where ``*`` and ``?`` stand for any characters and for one."""

    model: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/*?+-]{1,128}$")]


class Prices(Wire):
    """The table; of several matching models the first counts, ``default`` where none matches."""

    version: Token
    source: Prose
    models: tuple[ModelRate, ...] = ()
    default: Rate

    def rate(self, model: str) -> Rate:
        return next((rate for rate in self.models if fnmatchcase(model, rate.model)), self.default)


def read_prices(path: Path) -> Prices:
    """Read the price table.

    Raises:
        SettingsError: missing or wrong; the field is named.
    """
    try:
        return Prices.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"MAPPER_PRICES: no readable table there ({type(error).__name__})") from error
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors())
        raise SettingsError(f"MAPPER_PRICES: check {fields}") from error


class Busy:
    """Shares the time in which a predictor is busy among the answers it is working on.

    A server that batches makes sixteen answers in little more time than one, and each of them waits all of it: charged
    by waiting time they would cost sixteen times what the machine does. So while n are under way, each is charged
    1/n of the time that passes; all together are charged what passed.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._under_way = 0
        self._charged = 0.0  # to an answer that had been under way from the beginning
        self._since = clock()

    @contextmanager
    def answering(self) -> "Iterator[Share]":
        """Measure one answer; the share's ``seconds`` stand when the block is left."""
        self._pass(+1)
        share = Share(self._charged)
        try:
            yield share
        finally:
            self._pass(-1)
            share.seconds = self._charged - share.begun

    def _pass(self, change: int) -> None:
        now = self._clock()
        if self._under_way:
            self._charged += (now - self._since) / self._under_way
        self._since = now
        self._under_way += change


class Share:
    """The part of the busy time that one answer is charged, in seconds."""

    __slots__ = ("begun", "seconds")

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.seconds = 0.0


class Meter:
    """Says what an answer of *model* took and costs.

    Equal questions asked at the same time share one completion (``turns``): its tokens are the first taker's.
    """

    def __init__(self, prices: Prices, model: str, busy: Busy) -> None:
        self._rate = prices.rate(model)
        self._prices = prices.version
        self._taken: deque[Completion] = deque(maxlen=64)  # those who share one take it in the same breath
        self.busy = busy

    def usage(self, completion: Completion, compute_seconds: float, latency_seconds: float) -> Usage:
        first = not any(taken is completion for taken in self._taken)
        if first:
            self._taken.append(completion)
        prompt_tokens = completion.prompt_tokens if first else 0
        completion_tokens = completion.completion_tokens if first else 0
        cost = self._rate.microdollars(prompt_tokens, completion_tokens, compute_seconds)
        return Usage(
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            compute_seconds=round(compute_seconds, 6),
            latency_ms=round(latency_seconds * 1_000, 3),
            cost_microdollars=round(cost, 6),
            prices=self._prices,
        )


def unpriced() -> Meter:
    """A meter for which everything is free: it counts tokens and seconds."""
    return Meter(Prices(version="none", source="Nothing is priced.", default=Rate()), "", Busy())
