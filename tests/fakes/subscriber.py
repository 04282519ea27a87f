"""A subscriber of the broker: a real HTTP server on a free port that keeps what it was sent and answers as told."""

import asyncio
import queue
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["ce-id"]


@dataclass(frozen=True)
class Answer:
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


Behaviour = Callable[[Received], Awaitable[Answer]]


def saying(*answers: Answer) -> Behaviour:
    """Give *answers* in turn, then 204 for ever."""
    left = list(answers)

    async def behave(_: Received) -> Answer:
        return left.pop(0) if left else Answer()

    return behave


class Subscriber:
    """Made by ``listening``; the server runs in a thread of its own, as a consumer runs in a process of its own."""

    def __init__(self, behave: Behaviour) -> None:
        self._behave = behave
        self._arrived: queue.Queue[Received] = queue.Queue()
        self._busy = 0
        self.received: list[Received] = []
        self.most_at_once = 0
        self.url = ""

    async def next(self) -> Received:
        """Wait for the next request.

        Raises:
            queue.Empty: none came in ten seconds.
        """
        return await asyncio.to_thread(self._arrived.get, timeout=10)

    async def take(self, count: int) -> list[Received]:
        return [await self.next() for _ in range(count)]

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.received]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        received = Received(request.url.path, dict(request.headers), await request.body())
        self._busy += 1
        self.most_at_once = max(self.most_at_once, self._busy)
        self.received.append(received)
        self._arrived.put(received)
        answer = await self._behave(received)
        self._busy -= 1
        await Response(answer.body, answer.status, answer.headers)(scope, receive, send)


@asynccontextmanager
async def listening(behave: Behaviour | None = None, port: int = 0) -> AsyncIterator[Subscriber]:
    """Run a subscriber; it answers 204 unless *behave* says otherwise."""
    subscriber = Subscriber(behave or saying())
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    config = uvicorn.Config(subscriber, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    subscriber.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        yield subscriber
    finally:
        server.should_exit = True
        await asyncio.to_thread(thread.join, 10)
        listener.close()


def ids_of(received: Iterable[Received]) -> list[str]:
    return [one.id for one in received]
