"""promote's HTTP face: evaluations and ticks in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from fastapi import FastAPI, Request, Response

from llama_mapper import __version__
from llama_mapper.chassis.app import create_app
from llama_mapper.chassis.documents import attribute
from llama_mapper.chassis.events import add_consumer
from llama_mapper.chassis.logs import get_logger
from llama_mapper.cluster.errors import ClusterError
from llama_mapper.contracts.events import EvaluationCompleted, EventContext
from llama_mapper.contracts.problems import Unavailable, Unprocessable

from .service import Gate

log = get_logger(__name__)

TICK = "dev.knative.sources.ping"
"""PingSource's own event. It has no tenant and says nothing, so it is no contract of ours."""


def create_server(
    gate: Gate, *, max_bytes: int, log_level: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> FastAPI:
    """Return the application."""
    app = create_app("promote", __version__, max_bytes=max_bytes, log_level=log_level)

    async def on_evaluation(context: EventContext, event: EvaluationCompleted) -> None:
        with _in_problems():
            names = await gate.evaluated(event, context.time or now(), now())
        log.info("evaluation.seen", extra={"count": len(names)})

    add_consumer(app, {EvaluationCompleted: on_evaluation}, "/events")

    only = attribute("type", {"const": TICK})

    @app.post("/ticks", tags=["events"], status_code=204, openapi_extra={"parameters": [only]})
    async def tick(request: Request) -> Response:
        """Look at every canary: a PingSource's event, once a minute."""
        if request.headers.get("ce-type") != TICK:
            raise Unprocessable(f"this takes {TICK} alone, in binary mode")
        with _in_problems():
            found = await gate.look_at_all(now())
        for reason in found.values():
            log.info("canary.looked_at", extra={"reason": reason})
        return Response(status_code=204)

    return app


@contextmanager
def _in_problems() -> Iterator[None]:
    try:
        yield
    except ClusterError as error:
        log.warning("cluster.failed", extra={"reason": str(error)[:160], "error": type(error).__name__})
        raise Unavailable("the API server cannot be asked now", retry_after_seconds=10) from error
