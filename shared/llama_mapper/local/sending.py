"""The HTTP client of deliveries: aiohttp, which takes a fifth of httpx's processor time for the same request."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp

# Servers here keep an idle connection for five seconds; one that is about to be closed must not be used again.
IDLE_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a subscriber said; *headers* are by case-insensitive name."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class NoAnswer(Exception):
    """There was none; the message is the name of the cause."""


class Sender:
    """Posts to where the wiring says: no proxy, no redirect followed, no cookie kept."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            # An event without data has no content type, and aiohttp would add one.
            skip_auto_headers=("content-type", "user-agent"),
            timeout=aiohttp.ClientTimeout(total=None),
        )

    async def close(self) -> None:
        if self._session:
            await self._session.close()
            self._session = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Answer:
        """Post *body* and read the whole answer, both within *seconds*.

        Raises:
            NoAnswer: no connection, or none that held, or too late.
        """
        assert self._session is not None, "the sender is not open"
        try:
            async with (
                asyncio.timeout(seconds),
                self._session.post(url, headers=headers, data=body, allow_redirects=False) as answer,
            ):
                return Answer(answer.status, answer.headers, await answer.read())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise NoAnswer(type(error).__name__) from error
