"""What the client sends, what it reads out of an answer, and when it sends again."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import stamina

from llama_mapper.client import AsyncLlamaMapper, LlamaMapper, LlamaMapperError, NoAnswer, ProblemError, UnknownAnswer
from llama_mapper.client.sending import AGENT, Sender, pause
from llama_mapper.contracts.problems import Conflict, Problem, RateLimited, Unauthorized, Unavailable

BASE = "https://mapper.example.com/"
CANARY = "canary7f3@example.org"
EMPTY: dict[str, list[str]] = {"detectors": []}
Answering = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def no_pauses() -> Iterator[None]:
    with stamina.set_testing(True, attempts=5, cap=True):
        yield


class Service:
    """Gives *answers* in turn, the last one for ever; an exception is raised."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def client(self, **given: Any) -> LlamaMapper:
        return LlamaMapper(BASE, transport=httpx.MockTransport(self), **given)

    def waiting(self, **given: Any) -> AsyncLlamaMapper:
        return AsyncLlamaMapper(BASE, transport=httpx.MockTransport(self), **given)


def said(problem: Problem) -> httpx.Response:
    headers = {"content-type": "application/problem+json", "x-correlation-id": "correlation-1"}
    if problem.retry_after_seconds is not None:
        headers["retry-after"] = str(problem.retry_after_seconds)
    return httpx.Response(problem.status, content=problem.document("correlation-1").model_dump_json(), headers=headers)


def listed() -> httpx.Response:
    return httpx.Response(200, json=EMPTY)


def test_a_call_says_who_asks_for_whom_and_with_what() -> None:
    service = Service(listed())
    with service.client(api_key="lmk_x", tenant="demo") as mapper:
        mapper.detectors()
    (request,) = service.asked
    assert str(request.url) == "https://mapper.example.com/api/v1/detectors"
    assert (request.headers["x-api-key"], request.headers["x-tenant-id"]) == ("lmk_x", "demo")
    assert request.headers["user-agent"] == AGENT
    assert len(request.headers["x-correlation-id"]) == 32
    assert "authorization" not in request.headers


def test_a_token_is_asked_for_each_sending() -> None:
    tokens = iter(["one", "two"])
    service = Service(httpx.Response(503), listed())
    with service.client(token=lambda: next(tokens)) as mapper:
        mapper.detectors()
    assert [request.headers["authorization"] for request in service.asked] == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize(
    "given",
    [
        {"base_url": "mapper.example.com"},
        {"base_url": "ftp://x"},
        {"base_url": BASE, "timeout_seconds": 0},
        {"base_url": BASE, "api_key": "a", "token": "b"},
    ],
)
def test_a_client_that_cannot_work_is_not_made(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"base_url|not both|timeout_seconds"):
        LlamaMapper(**given)


def test_secrets_are_not_in_the_senders_repr() -> None:
    assert "lmk_x" not in repr(Sender(BASE, api_key="lmk_x"))


def test_a_field_that_is_newer_than_the_client_is_passed_over() -> None:
    info = {"id": "words", "version": "1", "family": "pii", "loaded": True, "newer": {"a": 1}}
    with Service(httpx.Response(200, json={"detectors": [info], "newest": 1})).client() as mapper:
        assert mapper.detectors().detectors[0].id == "words"


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"detectors": 1}', b'{"detectors": [{}]}'])
def test_another_shape_is_an_unknown_answer_and_not_asked_for_again(body: bytes) -> None:
    service = Service(httpx.Response(200, content=body))
    with service.client() as mapper, pytest.raises(UnknownAnswer, match="answered 200 in a shape we do not know"):
        mapper.detectors()
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    "passing",
    [
        httpx.ConnectError("refused"),
        httpx.ReadError("cut"),
        httpx.RemoteProtocolError("cut"),
        httpx.Response(429, headers={"retry-after": "1"}),
        httpx.Response(503),
        said(Unavailable("x", retry_after_seconds=1)),
        said(Conflict("still being answered", retry_after_seconds=1)),
    ],
    ids=str,
)
async def test_what_passes_is_tried_again_with_the_same_key(passing: Any) -> None:
    def service() -> Service:
        return Service(passing, passing, httpx.Response(200, json={"results": []}))

    sync = service()
    with sync.client() as mapper:
        mapper.batch(["a"])
    waiting = service()
    async with waiting.waiting() as awaited:
        await awaited.batch(["a"])
    for asked in (sync.asked, waiting.asked):
        assert len(asked) == 3
        assert len({request.headers["idempotency-key"] for request in asked}) == 1
        assert len({request.headers["x-correlation-id"] for request in asked}) == 1
        assert json.loads(asked[0].content) == {"items": [{"content": "a"}]}
    assert sync.asked[0].headers["idempotency-key"] != waiting.asked[0].headers["idempotency-key"]


async def test_what_stays_away_is_given_up_after_so_many_attempts() -> None:
    service = Service(said(Unavailable("not ready: detect", retry_after_seconds=1)))
    async with service.waiting(attempts=3) as mapper:
        with pytest.raises(ProblemError, match="answered 503: not ready: detect") as failed:
            await mapper.orchestrate("a")
    assert len(service.asked) == 3
    error = failed.value
    assert (error.status, error.error_code, error.retryable, error.retry_after) == (503, "UNAVAILABLE", True, 1.0)
    assert error.correlation_id == "correlation-1"


@pytest.mark.parametrize(
    "answer", [said(Unauthorized("x")), httpx.Response(404), httpx.Response(500), httpx.Response(302)]
)
def test_what_cannot_work_is_sent_once(answer: httpx.Response) -> None:
    service = Service(answer)
    with service.client() as mapper, pytest.raises(ProblemError) as refused:
        mapper.orchestrate("a")
    assert (len(service.asked), refused.value.status) == (1, answer.status_code)


@pytest.mark.parametrize(
    ("passing", "sent"),
    [
        (httpx.ConnectError("refused"), 5),
        (httpx.ReadError("cut"), 1),
        (said(RateLimited("x", retry_after_seconds=1)), 1),
    ],
    ids=["nobody there", "cut", "too many"],
)
def test_a_key_is_made_twice_by_no_retry(passing: Any, sent: int) -> None:
    service = Service(passing)
    with service.client() as mapper, pytest.raises(LlamaMapperError):
        mapper.create_key("ci", ["orchestrate:use"], code="123456")
    assert len(service.asked) == sent
    assert service.asked[0].headers["x-one-time-code"] == "123456"


async def test_a_deadline_that_passed_is_no_answer() -> None:
    slow = Service(httpx.ReadTimeout("slow"))
    with slow.client(timeout_seconds=3) as mapper, pytest.raises(NoAnswer, match="did not answer within 3 s") as late:
        mapper.orchestrate("a")
    assert (late.value.timed_out, len(slow.asked)) == (True, 1)
    with Service(listed()).client(timeout_seconds=1e-9) as mapper, pytest.raises(NoAnswer, match="within 1e-09 s"):
        mapper.detectors()
    async with Service(listed()).waiting(timeout_seconds=1e-9) as awaited:
        with pytest.raises(NoAnswer, match="within 1e-09 s"):
            await awaited.detectors()


def problem(retry_after: float | None = None, retryable: bool = True) -> ProblemError:
    return ProblemError("x", status=503, retryable=retryable, retry_after=retry_after)


@pytest.mark.parametrize(
    ("error", "repeatable", "left", "again"),
    [
        (problem(), True, 10.0, True),
        (problem(), True, 1.0, False),
        (problem(7.0), True, 10.0, 7.0),
        (problem(0.0), True, 10.0, 0.0),
        (problem(10.0), True, 10.0, False),
        (problem(60.0), True, 10.0, False),
        (problem(), False, 10.0, False),
        (problem(retryable=False), True, 10.0, False),
        (NoAnswer("x"), True, 10.0, True),
        (NoAnswer("x"), False, 10.0, False),
        (NoAnswer("x", unsent=True), False, 10.0, True),
        (NoAnswer("x", timed_out=True), True, 10.0, False),
        (UnknownAnswer("x"), True, 10.0, False),
        (KeyError("x"), True, 10.0, False),
    ],
)
def test_a_pause_is_what_the_service_says_and_never_beyond_the_deadline(
    error: Exception, repeatable: bool, left: float, again: bool | float
) -> None:
    answer = pause(error, repeatable, left, 2.0)
    assert (type(answer), answer) == (type(again), again)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "Mon, 23 Nov 2026 10:00:30 GMT", "date": "Mon, 23 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"retry-after": "Mon, 23 Nov 2026 09:00:00 GMT", "date": "Mon, 23 Nov 2026 10:00:00 GMT"}, 0.0),
        ({"retry-after": "Mon, 23 Nov 2026 10:00:30 GMT"}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    service = Service(httpx.Response(429, headers=headers))
    with service.client(attempts=1) as mapper, pytest.raises(ProblemError) as refused:
        mapper.detectors()
    assert refused.value.retry_after == seconds


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(502, text=CANARY),
        httpx.Response(400, json={"detail": CANARY}),
        httpx.Response(400, content=f'{{"detail": "{CANARY}"}}', headers={"content-type": "application/problem+json"}),
        httpx.Response(200, json={"findings": CANARY}),
        httpx.ConnectError(CANARY),
        httpx.InvalidURL(CANARY),
    ],
    ids=str,
)
def test_an_exception_holds_nothing_that_a_stranger_quoted(answer: Any) -> None:
    with Service(answer).client() as mapper, pytest.raises(LlamaMapperError) as failed:
        mapper.orchestrate(CANARY)
    error = failed.value
    assert CANARY not in f"{error!s} {error!r} {vars(error)}"
    assert (error.__cause__, error.__context__) == (None, None)
