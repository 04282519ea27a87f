"""One HTTP/1.1 request whose answer is read while its body is still being sent; httpx reads only afterwards."""

import asyncio
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import h11

READ_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and headers, in lower case; the body as it comes."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: AsyncIterator[bytes] = field(repr=False)


class Broken(Exception):
    """The connection ended, or what came is no HTTP; holds nothing that was sent."""


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, last_seconds: float) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT)
        self._last_seconds = last_seconds
        self._sent = asyncio.Event()

    async def send(self, request: h11.Request, pieces: AsyncIterable[bytes]) -> None:
        """Send all of it, waiting where the other side does not read."""
        try:
            await self._write(request)
            async for piece in pieces:
                await self._write(h11.Data(data=piece))
            await self._write(h11.EndOfMessage())
        except OSError:  # closed on us: the answer may be there all the same
            raise
        except BaseException:
            self._writer.transport.abort()  # nobody will send the rest
            raise
        finally:
            self._sent.set()

    async def _write(self, event: h11.Event) -> None:
        self._writer.write(self._http.send(event) or b"")
        await self._writer.drain()

    async def answer(self) -> Answer:
        while not isinstance(event := await self._next(), h11.Response):
            pass
        headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
        return Answer(event.status_code, headers, self._body())

    async def _body(self) -> AsyncIterator[bytes]:
        while isinstance(event := await self._next(), h11.Data):
            yield bytes(event.data)

    async def _next(self) -> h11.Event:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._read())
        if isinstance(event, h11.Event):
            return event
        raise Broken("the connection ended")

    async def _read(self) -> bytes:
        """While the body is being sent, an answer may take as long as the sender does; afterwards it is bounded."""
        reading = asyncio.ensure_future(self._reader.read(READ_BYTES))
        sent = asyncio.ensure_future(self._sent.wait())
        try:
            await asyncio.wait({reading, sent}, return_when=asyncio.FIRST_COMPLETED)
            return await asyncio.wait_for(reading, self._last_seconds)
        finally:
            sent.cancel()
            reading.cancel()


@asynccontextmanager
async def exchange(
    url: str, headers: Mapping[str, str], pieces: AsyncIterable[bytes], *, connect_seconds: float, last_seconds: float
) -> AsyncIterator[Answer]:
    """POST *pieces* to *url*; *last_seconds* is how long each part of the answer may take once all is sent.

    Raises:
        OSError, ssl.SSLError, TimeoutError: nobody answers, or no more. Broken: the answer is none.
    """
    parts = urlsplit(url)
    secure = ssl.create_default_context() if parts.scheme == "https" else None
    port = parts.port or (443 if secure else 80)
    async with asyncio.timeout(connect_seconds):
        reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=secure)
    connection = _Connection(reader, writer, last_seconds)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    fields = {"Host": parts.netloc.rpartition("@")[2], "Transfer-Encoding": "chunked", **headers}
    request = h11.Request(method="POST", target=target, headers=list(fields.items()))
    sending = asyncio.create_task(connection.send(request, pieces))
    try:
        yield await connection.answer()
    except h11.RemoteProtocolError as error:
        raise Broken("the answer is no HTTP") from error
    finally:
        broken = sending.exception() if sending.done() and not sending.cancelled() else None
        sending.cancel()
        # Where the answer came first, that the rest could not be sent is no fault.
        with suppress(asyncio.CancelledError, OSError, h11.LocalProtocolError):
            await sending
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                await writer.wait_closed()
        if broken is not None and not isinstance(broken, OSError | h11.LocalProtocolError):
            raise broken
