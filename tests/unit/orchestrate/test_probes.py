import socket
from collections.abc import Callable

import httpx
import pytest

from functions.orchestrate.detectors.probes import connecting, probing, ready_url
from tests.fakes.free_ports import free_port

CANARY = "canary someone@example.org"


@pytest.mark.parametrize(
    ("predict", "ready"),
    [
        ("http://h/v1/models/toxicity:predict", "http://h/v1/models/toxicity"),
        ("https://h:8443/a/v1/models/t-1:predict", "https://h:8443/a/v1/models/t-1"),
        ("http://h/v2/models/t/infer", "http://h/v2/models/t/ready"),
        ("http://h/v2/models/t/versions/2/infer", "http://h/v2/models/t/versions/2/ready"),
        ("http://h/v1/models/toxicity:explain", None),
        ("http://h/predict", None),
    ],
)
def test_a_models_readiness_is_beside_its_prediction(predict: str, ready: str | None) -> None:
    assert ready_url(predict) == ready


def answer(status: int = 200, body: str = "", kind: str = "application/json") -> Callable[..., httpx.Response]:
    return lambda _: httpx.Response(status, content=body, headers={"content-type": kind})


def failing(error: Exception) -> Callable[..., httpx.Response]:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    return fail


@pytest.mark.parametrize(
    ("answered", "error"),
    [
        (answer(), None),
        (answer(body='{"name": "toxicity", "ready": true}'), None),
        (answer(body='{"name": "toxicity", "ready": "True"}'), None),
        (answer(body='{"name": "toxicity", "ready": false}'), "UNAVAILABLE"),
        (answer(body='{"name": "toxicity", "ready": "False"}'), "UNAVAILABLE"),
        (answer(body="[1]"), None),
        (answer(body=CANARY), None),
        (answer(body="ok", kind="text/plain"), None),
        (answer(404, CANARY), None),
        (answer(401), None),
        (answer(302), None),
        (answer(429), "DETECTOR_OVERLOADED"),
        (answer(500, CANARY), "UNAVAILABLE"),
        (answer(503), "UNAVAILABLE"),
        (failing(httpx.ConnectError(CANARY)), "UNAVAILABLE"),
        (failing(httpx.ReadTimeout(CANARY)), "REQUEST_TIMEOUT"),
    ],
)
async def test_what_an_answer_says_of_health(answered: Callable[..., httpx.Response], error: str | None) -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(answered)) as client:
        assert await probing(client, "http://h/health")() == error


async def test_a_connection_is_enough_where_there_is_no_health_resource() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert await connecting(f"http://127.0.0.1:{listener.getsockname()[1]}/v1/check")() is None
    assert await connecting(f"http://127.0.0.1:{free_port()}/v1/check")() == "UNAVAILABLE"
