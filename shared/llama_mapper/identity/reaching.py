"""One translation of a store that cannot be reached."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from llama_mapper.contracts.problems import Unavailable


@contextmanager
def reached(store: str) -> Iterator[None]:
    """Turn Redis's errors into a problem that names *store*, in words that follow "does not answer".

    Raises:
        Unavailable: the block could not reach the store.
    """
    try:
        yield
    except RedisError as error:
        raise Unavailable(f"{store} does not answer", retry_after_seconds=1) from error
