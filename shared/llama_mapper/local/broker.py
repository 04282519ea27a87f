"""The local broker: Knative's delivery semantics for one person's machine. It is not a product and stays small.

Run it with ``python -m llama_mapper.local.broker``; it reads ``eventing/`` as deployed. See docs/eventing.md.
"""

import contextlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from redis.exceptions import RedisError

from llama_mapper.chassis.app import create_app
from llama_mapper.chassis.guard import problem_response
from llama_mapper.chassis.settings import load as load_settings
from llama_mapper.contracts.problems import NotFound, Unavailable

from . import dead_letters, store
from .broker_settings import BrokerSettings
from .cloud_events import parse
from .dispatch import Dispatcher
from .triggers import Trigger, load

VERSION = "0.1.0"


class TriggerView(BaseModel):
    """A Trigger as it is wired here, and how many events it has not settled."""

    namespace: str
    broker: str
    name: str
    filters: tuple[dict[str, Any], ...]
    subscriber: str
    dead_letter_sink: str | None
    retry: int
    ordered: bool
    pending: int


class TriggerList(BaseModel):
    triggers: tuple[TriggerView, ...]


def create_broker(settings: BrokerSettings) -> FastAPI:
    """Return the broker's application; its work begins and ends with the application's lifespan.

    Raises:
        WiringError: a manifest cannot be run as written.
    """
    wiring = load(settings.eventing, settings.namespace, settings.address)
    redis = store.connect(settings.redis_url)
    dispatcher = Dispatcher(redis, wiring, settings)

    async def readiness() -> dict[str, bool]:
        try:
            return {"store": bool(await redis.ping())}
        except RedisError:
            return {"store": False}

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with redis:
            await dispatcher.start()
            try:
                yield
            finally:
                await dispatcher.stop()

    app = create_app("broker", VERSION, max_bytes=settings.max_bytes, readiness=readiness, log_level=settings.log_level)
    app.router.lifespan_context = lifespan
    app.add_exception_handler(RedisError, _store_is_away)

    @app.get("/triggers", tags=["operations"])
    async def triggers() -> TriggerList:
        views = [_view(trigger, await dispatcher.queues[key].depth()) for key, trigger in dispatcher.triggers.items()]
        return TriggerList(triggers=tuple(views))

    dead_letters.add_routes(app, dispatcher.letters, dispatcher.queues)

    def wired(namespace: str, broker: str) -> tuple[Trigger, ...]:
        triggers = wiring.get((namespace, broker))
        if triggers is None:
            raise NotFound("there is no such broker")
        return triggers

    @app.post("/{namespace}/{broker}/", include_in_schema=False, status_code=202, response_class=Response)
    @app.post("/{namespace}/{broker}", tags=["events"], status_code=202, response_class=Response)
    async def ingress(namespace: str, broker: str, request: Request) -> None:
        triggers = wired(namespace, broker)
        await dispatcher.publish(triggers, parse(request.headers, await request.body()))

    @app.options("/{namespace}/{broker}", tags=["events"], response_class=Response)
    async def probe(namespace: str, broker: str) -> Response:
        """Say that events may be posted, to a sender that asks first (CloudEvents webhooks, section 4)."""
        wired(namespace, broker)
        return Response(headers={"Allow": "POST, OPTIONS", "WebHook-Allowed-Origin": "*", "WebHook-Allowed-Rate": "*"})

    return app


async def _store_is_away(_: Request, __: Exception) -> Response:
    return problem_response(Unavailable("the broker's store does not answer", retry_after_seconds=1))


def _view(trigger: Trigger, pending: int) -> TriggerView:
    return TriggerView(
        namespace=trigger.namespace,
        broker=trigger.broker,
        name=trigger.name,
        filters=tuple(one.model_dump(by_alias=True, exclude_none=True) for one in trigger.filters),
        subscriber=trigger.subscriber,
        dead_letter_sink=trigger.dead_letter_sink,
        retry=trigger.delivery.retry,
        ordered=trigger.ordered,
        pending=pending,
    )


def main() -> None:
    settings = load_settings(BrokerSettings)
    config = uvicorn.Config(
        create_broker(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=5,
    )
    # The port comes first: a second broker must end here, before it takes over the first one's unfinished events.
    listener = config.bind_socket()
    server = uvicorn.Server(config)
    server.run(sockets=[listener])
    sys.exit(0 if server.started else 1)


if __name__ == "__main__":
    main()
