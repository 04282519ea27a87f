"""Run an application as a functions-framework HTTP function (the shape Knative deploys)."""

from collections.abc import Awaitable, Callable
from typing import cast

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

_ROUTED = frozenset({"router", "endpoint", "path_params", "route", "app"})

Function = Callable[[Request], Awaitable[Response]]


class _Forward(Response):
    """A response that lets *app* answer, with the scope as it was before functions-framework's router touched it."""

    def __init__(self, app: ASGIApp, scope: Scope) -> None:
        self._app = app
        self._scope = {key: value for key, value in scope.items() if key not in _ROUTED}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(self._scope, receive, send)


def as_function(app: ASGIApp) -> Function:
    """Return a function to be bound as ``handle`` in ``main.py``.

    ``functions_framework.aio.cloud_event`` is not used: it drops the function's reply and quotes bad bodies.
    """

    async def handle(request: Request) -> Response:
        return _Forward(app, request.scope)

    return cast(Function, functions_framework.aio.http(handle))
