"""The problems of one path in the shape that OpenAI's clients read, whoever on the way in said no."""

from pydantic import Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llama_mapper.contracts.problems import ErrorCode, ProblemDocument
from llama_mapper.contracts.wire import Wire

PATH = "/v1/moderations"
_PROBLEM = b"application/problem+json"
_KINDS = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


class OpenAiFault(Wire):
    message: str = Field(max_length=240)
    type: str = Field(pattern=r"^[a-z_]{1,32}$")
    param: str | None = Field(max_length=120)
    code: ErrorCode


class OpenAiError(Wire):
    """``message`` and ``code`` are the problem's detail and error_code, ``param`` its first field."""

    error: OpenAiFault


def translated(problem: ProblemDocument) -> OpenAiError:
    usual = "server_error" if problem.status >= 500 else "invalid_request_error"
    return OpenAiError(
        error=OpenAiFault(
            message=problem.detail,
            type=_KINDS.get(problem.status, usual),
            param=problem.errors[0].field if problem.errors else None,
            code=problem.error_code,
        )
    )


class OpenAiErrors:
    """Wrap *app*, the guard included: it has problems of its own, such as a body that is too large."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._app(scope, receive, send)
            return
        started: Message | None = None
        problem = b""

        async def relay(message: Message) -> None:
            nonlocal started, problem
            if message["type"] == "http.response.start" and (b"content-type", _PROBLEM) in message["headers"]:
                started = message
            elif started is None:
                await send(message)
            else:
                problem += message.get("body", b"")
                if not message.get("more_body", False):
                    await _send(started, translated(ProblemDocument.model_validate_json(problem)), send)

        await self._app(scope, receive, relay)


async def _send(started: Message, error: OpenAiError, send: Send) -> None:
    body = error.model_dump_json().encode()
    kept = [pair for pair in started["headers"] if pair[0] not in (b"content-type", b"content-length")]
    said = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({**started, "headers": [*kept, *said]})
    await send({"type": "http.response.body", "body": body})
