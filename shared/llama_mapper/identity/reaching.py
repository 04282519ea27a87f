"""One translation of a store that cannot be reached, or answers what nobody can read."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as Late

from llama_mapper.contracts.problems import Unavailable

REST_SECONDS = 2.0
"""How long a store that did not answer is not asked: a request asks it several times, and would wait each time."""


def once_more() -> Retry:
    """A connection that the store has closed since its last use is no store that is away: try a fresh one, at once."""
    return Retry(NoBackoff(), 1, supported_errors=(Unreachable,))


class RestingRedis(Redis):
    """A client that asks a store which was away or late only again after a rest; pipelines are not held back."""

    _away_until = 0.0

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        if time.monotonic() < self._away_until:
            raise Unreachable("it did not answer a moment ago")
        try:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except (Unreachable, Late):
            self._away_until = time.monotonic() + REST_SECONDS
            raise


@contextmanager
def reached(store: str) -> Iterator[None]:
    """Turn Redis's errors into a problem that names *store*, in words that follow "does not answer".

    Raises:
        Unavailable: the block could not reach the store, or take its answer apart.
    """
    try:
        yield
    except RedisError as error:
        raise Unavailable(f"{store} does not answer", retry_after_seconds=1) from error
    except (ValueError, TypeError) as error:
        raise Unavailable(f"{store} does not answer in a shape we know", retry_after_seconds=1) from error
