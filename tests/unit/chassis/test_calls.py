import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
from purgatory import AsyncCircuitBreakerFactory

from llama_mapper.chassis import correlation
from llama_mapper.chassis.calls import BREAKER_FAILURES, ServiceClient
from llama_mapper.contracts.detection import DetectorList
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.mapping import Versions
from llama_mapper.contracts.problems import (
    DetectorCommunicationFailed,
    RequestTimeout,
    Unavailable,
    Unprocessable,
)

SECRET = "ada@example.org"
TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
BODY = Versions(taxonomy="2026.11", mapper="1")
GOOD = httpx.Response(200, json={"detectors": []})
Answer = httpx.Response | httpx.HTTPError


class Service:
    """Gives *answers* in turn, the last one for ever, and keeps the requests."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, httpx.HTTPError):
            raise answer
        return httpx.Response(answer.status_code, content=answer.content)


def client(
    handle: Callable[[httpx.Request], Awaitable[httpx.Response]], breakers: AsyncCircuitBreakerFactory | None = None
) -> ServiceClient:
    http = httpx.AsyncClient(transport=httpx.MockTransport(handle))  # type: ignore[arg-type]
    return ServiceClient("detect", "http://detect/", http, breakers or AsyncCircuitBreakerFactory())


async def ask(of: ServiceClient, *, timeout_seconds: float = 5.0, attempts: int = 2) -> DetectorList:
    return await of.post(
        "/api/v1/detect",
        BODY,
        DetectorList,
        timeout_seconds=timeout_seconds,
        tenant_id=TenantId("demo"),
        attempts=attempts,
    )


async def test_the_answer_is_parsed_and_the_ids_go_along() -> None:
    correlation.adopt("order-0001", TRACE)
    service = Service(GOOD)
    assert await ask(client(service)) == DetectorList(detectors=())
    (request,) = service.requests
    assert (str(request.url), request.content) == (
        "http://detect/api/v1/detect",
        b'{"taxonomy":"2026.11","mapper":"1"}',
    )
    names = ("x-correlation-id", "x-tenant-id", "traceparent", "content-type")
    assert [request.headers[name] for name in names] == ["order-0001", "demo", TRACE, "application/json"]


@pytest.mark.parametrize(
    "first",
    [httpx.Response(503), httpx.Response(500), httpx.Response(429), httpx.ConnectError(SECRET), httpx.ReadError("")],
    ids=["503", "500", "429", "no connection", "broken off"],
)
async def test_what_may_be_better_the_next_time_is_tried_again(first: Answer) -> None:
    service = Service(first, GOOD)
    assert await ask(client(service)) == DetectorList(detectors=())
    assert len(service.requests) == 2


async def test_the_last_failure_is_unavailable() -> None:
    service = Service(httpx.ConnectError(SECRET))
    with pytest.raises(Unavailable, match=r"^detect does not answer$"):
        await ask(client(service), attempts=3)
    assert len(service.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422])
async def test_a_refusal_is_not_tried_again(status: int) -> None:
    service = Service(httpx.Response(status, text=SECRET))
    with pytest.raises(Unprocessable, match=r"^detect refused the request$"):
        await ask(client(service))
    assert len(service.requests) == 1


@pytest.mark.parametrize("body", [b"", b"{}", b'{"detectors": 5}', SECRET.encode(), b"\xff"])
async def test_an_answer_of_another_shape_is_not_quoted(body: bytes) -> None:
    with pytest.raises(DetectorCommunicationFailed, match=r"^detect answered in a shape we do not know$"):
        await ask(client(Service(httpx.Response(200, content=body))))


async def test_a_service_that_never_answers_meets_the_deadline() -> None:
    never = asyncio.Event()

    async def silent(_: httpx.Request) -> httpx.Response:
        await never.wait()
        return GOOD

    with pytest.raises(RequestTimeout, match=r"^detect did not answer in time$"):
        await ask(client(silent), timeout_seconds=0.01)


async def test_no_time_left_is_not_spent_on_a_call() -> None:
    service = Service(GOOD)
    with pytest.raises(RequestTimeout):
        await ask(client(service), timeout_seconds=-0.1)
    assert service.requests == []


async def test_a_timeout_is_not_tried_again() -> None:
    service = Service(httpx.ReadTimeout(SECRET))
    with pytest.raises(RequestTimeout):
        await ask(client(service), attempts=3)
    assert len(service.requests) == 1


async def test_after_five_failures_the_service_is_left_alone() -> None:
    service, breakers = Service(httpx.Response(503)), AsyncCircuitBreakerFactory()
    for _ in range(BREAKER_FAILURES):
        with pytest.raises(Unavailable):
            await ask(client(service, breakers), attempts=1)
    with pytest.raises(Unavailable, match=r"^detect is resting after failures$") as caught:
        await ask(client(service, breakers))
    assert (caught.value.retry_after_seconds, len(service.requests)) == (30, BREAKER_FAILURES)


async def test_refusals_do_not_open_the_breaker() -> None:
    service, breakers = Service(httpx.Response(422)), AsyncCircuitBreakerFactory()
    for _ in range(BREAKER_FAILURES + 2):
        with pytest.raises(Unprocessable):
            await ask(client(service, breakers))
    assert len(service.requests) == BREAKER_FAILURES + 2


async def test_a_success_in_between_closes_the_count() -> None:
    failures = [httpx.Response(503)] * (BREAKER_FAILURES - 1)
    service, breakers = Service(*failures, GOOD, *failures, GOOD), AsyncCircuitBreakerFactory()
    answered = 0
    for _ in range(2 * BREAKER_FAILURES):
        try:
            await ask(client(service, breakers), attempts=1)
            answered += 1
        except Unavailable:
            continue
    assert answered == 2
