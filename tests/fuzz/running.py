"""An application on a port of its own, in a thread of its own: its clients and stores live on that thread's loop."""

import asyncio
import gc
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from tests.fakes.free_ports import free_port

Opened = Callable[[], AbstractAsyncContextManager[ASGIApp]]
"""Opens an application with all it needs, and closes it again."""

READY_SECONDS = 120.0


@contextmanager
def on_a_port(opened: Opened) -> Iterator[str]:
    """Serve what *opened* opens; give its URL.

    Raises:
        RuntimeError: it did not start, or did not end well; the cause is what it raised.
    """
    served = _Served(opened)
    served.start()
    try:
        yield served.url
    finally:
        served.stop()


class _Served:
    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._listener = socket.create_server(("127.0.0.1", free_port()), backlog=128)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._server: uvicorn.Server | None = None
        self._failed: BaseException | None = None
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def start(self) -> None:
        self._thread.start()
        if not self._ready.wait(READY_SECONDS) or self._server is None:
            raise RuntimeError("the service did not start") from self._failed

    def stop(self) -> None:
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join(30)
        if self._failed:
            raise RuntimeError("the service did not end well") from self._failed

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that asked for the service
            self._failed = error
        finally:
            self._ready.set()
            self._listener.close()
            gc.collect()  # the policy engine must go in the thread that made it

    async def _serve(self) -> None:
        async with self._opened() as app:
            config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False)
            self._server = uvicorn.Server(config)
            self._ready.set()  # connections wait in the listener until the server takes them
            await self._server.serve(sockets=[self._listener])
