import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as Late

from llama_mapper.contracts.problems import Unavailable
from llama_mapper.identity.reaching import RestingRedis, reached


@pytest.fixture
async def silent() -> AsyncIterator[tuple[int, list[None]]]:
    """A server that takes connections and never answers: its port, and a mark for each connection."""
    connections: list[None] = []

    async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(None)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], connections
    server.close()
    await server.wait_closed()


async def test_a_store_that_did_not_answer_is_left_alone_for_a_while(silent: tuple[int, list[None]]) -> None:
    port, connections = silent
    async with RestingRedis(port=port, socket_timeout=0.5) as client:
        with pytest.raises((Unreachable, Late)):
            await client.get("a")
        tried = len(connections)
        for _ in range(5):
            with pytest.raises(Unreachable, match="a moment ago"):
                await client.get("a")
        assert len(connections) == tried > 0
        client._away_until = 0.0  # the rest is over
        with pytest.raises((Unreachable, Late)):
            await client.get("a")
        assert len(connections) > tried


@pytest.mark.parametrize("error", [RedisError("secret"), ValueError("secret"), TypeError("secret")])
def test_what_a_store_answers_badly_is_a_problem_that_names_it_alone(error: Exception) -> None:
    with pytest.raises(Unavailable) as caught, reached("the store of jobs"):
        raise error
    assert caught.value.detail.startswith("the store of jobs does not answer")
    assert "secret" not in caught.value.detail
    assert caught.value.retry_after_seconds == 1
