"""A service that answers what it is told to, and remembers what it was asked."""

import json
from typing import Any

import httpx
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class Upstream:
    """An ASGI application with one canned answer a path."""

    def __init__(self) -> None:
        self.answers: dict[str, Response] = {"/health": Response('{"status":"ok"}')}
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []

    def answer(self, path: str, model: BaseModel, status: int = 200) -> None:
        self.answers[path] = Response(model.model_dump_json(), status, media_type="application/json")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        url = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        self.asked.append((request.method, url, dict(request.headers), json.loads(body) if body else None))
        await self.answers.get(request.url.path, Response("{}", 404))(scope, receive, send)


class Away:
    """A service that nothing listens for; *error* is how that shows."""

    def __init__(self, error: type[httpx.HTTPError] = httpx.ConnectError) -> None:
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise self._error("away")
