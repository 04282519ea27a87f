"""A sync client's way to an application that runs in this process' event loop."""

import asyncio

import httpx


class Bridge(httpx.BaseTransport):
    """To be used in another thread than the loop's."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run_coroutine_threadsafe(self._ask(request), self._loop).result()

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        answer = await self._client.request(request.method, request.url, content=body, headers=request.headers)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


class AsyncBridge(httpx.AsyncBaseTransport):
    """For a client that closes its transport, where the application's goes on."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        answer = await self._client.request(request.method, request.url, content=body, headers=request.headers)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
