import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from functions.orchestrate.detectors.model_servers import Head, KServeModelServers
from llama_mapper.contracts.detection import DetectorReport
from llama_mapper.contracts.identifiers import DetectorId
from llama_mapper.contracts.problems import DetectorCommunicationFailed, RequestTimeout, Unavailable

Handler = Callable[[httpx.Request], httpx.Response]
SERVED = DetectorId("served")


async def ask(handler: Handler, url: str = "http://served/v1/models/served:predict") -> DetectorReport:
    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client:
        return await KServeModelServers({"served": url}, client).detect(SERVED, "some content", 1.0)


def predicting(prediction: Any, **headers: str) -> Handler:
    # As text, since json= would refuse the NaN that a server may well send.
    return lambda _: httpx.Response(200, content=json.dumps({"predictions": [prediction]}), headers=headers)


async def test_content_goes_out_as_one_instance() -> None:
    sent: list[httpx.Request] = []

    def keep(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"predictions": [{"safe": 1.0}]})

    await ask(keep)
    assert str(sent[0].url) == "http://served/v1/models/served:predict"
    assert json.loads(sent[0].content) == {"instances": ["some content"]}
    assert "x-correlation-id" in sent[0].headers


@pytest.mark.parametrize(
    ("prediction", "found"),
    [
        ({"toxic": 0.9, "neutral": 0.1}, [("toxic", 0.9)]),
        ({"toxic": 0.5, "neutral": 0.4999}, [("toxic", 0.5)]),
        ({"toxic": 0.4}, []),
        ({}, []),
        ([], []),
        ([{"label": "toxic", "score": 0.9}, {"label": "hate", "score": 0.8}], [("toxic", 0.9), ("hate", 0.8)]),
        ([{"label": "toxic", "score": 0.9}, {"label": "toxic", "score": 0.1}], [("toxic", 0.9)]),
        ({"label": "toxic", "score": 0.7}, [("toxic", 0.7)]),
        ({"label": 0.9, "other": 0.1}, [("label", 0.9)]),
        ({"toxic": "0.9"}, [("toxic", 0.9)]),
        ({"toxic": float("nan")}, []),
    ],
)
async def test_every_shape_of_a_prediction(prediction: Any, found: list[tuple[str, float]]) -> None:
    report = await ask(predicting(prediction))
    assert [(one.label, one.score) for one in report.detections] == found
    assert (report.status, report.family, report.windows) == ("ok", "classifiers", 1)


@pytest.mark.parametrize(
    "prediction",
    [
        1,
        None,
        "toxic",
        [1],
        [["toxic", 0.9]],
        [{"label": "toxic"}],
        {"toxic": 1.5},
        {"toxic": float("inf")},
        {"toxic": "very"},
        {"toxic": None},
        {"toxic": {"score": 1}},
        {"": 0.9},
        {"write to canary@example.org": 0.9},
        {"two\nlines": 0.9},
    ],
)
async def test_another_shape_is_a_failed_detector(prediction: Any) -> None:
    with pytest.raises(DetectorCommunicationFailed) as failed:
        await ask(predicting(prediction))
    assert "canary" not in failed.value.detail


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"predictions": []}', b'{"predictions": {"a": 1}}'])
async def test_an_answer_that_is_no_prediction_is_a_failed_detector(body: bytes) -> None:
    with pytest.raises(DetectorCommunicationFailed):
        await ask(lambda _: httpx.Response(200, content=body))


@pytest.mark.parametrize(
    ("stated", "version"),
    [("3.1", "3.1"), ("sha256:ab12", "sha256:ab12"), ("two words", "served"), ("", "served"), ("v" * 200, "served")],
)
async def test_the_version_is_the_one_stated_where_it_is_one(stated: str, version: str) -> None:
    assert (await ask(predicting({}, **{"x-model-version": stated}))).version == version


async def test_without_a_stated_version_it_is_served() -> None:
    assert (await ask(predicting({}))).version == "served"


@pytest.mark.parametrize("status", [204, 301, 400, 404, 500, 503])
async def test_any_other_status_is_an_unavailable_detector(status: int) -> None:
    with pytest.raises(Unavailable):
        await ask(lambda _: httpx.Response(status))


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (httpx.ReadTimeout("late"), RequestTimeout),
        (httpx.ConnectTimeout("late"), RequestTimeout),
        (httpx.ConnectError("refused"), Unavailable),
        (httpx.RemoteProtocolError("odd"), Unavailable),
    ],
)
async def test_a_failed_call_is_a_problem(error: Exception, problem: type[Exception]) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(problem):
        await ask(fail)


INJECTION = Head(classes=("SAFE", "INJECTION"))
TOXICITY = Head(classes=("toxicity", "threat"), scores="logits", version="original")


async def ask_with(head: Head, prediction: Any) -> DetectorReport:
    async with httpx.AsyncClient(transport=httpx.MockTransport(predicting(prediction))) as client:
        servers = KServeModelServers({"served": "http://served/v1/models/served:predict"}, client, {"served": head})
        return await servers.detect(SERVED, "some content", 1.0)


@pytest.mark.parametrize(
    ("head", "prediction", "found"),
    [
        (INJECTION, {"0": 0.01, "1": 0.99}, [("INJECTION", 0.99)]),
        (INJECTION, {"0": 0.99, "1": 0.01}, [("SAFE", 0.99)]),
        (TOXICITY, {"0": 0.0, "1": -3.0}, [("toxicity", 0.5)]),
        (TOXICITY, {"0": 800.0, "1": -800.0}, [("toxicity", 1.0)]),
    ],
)
async def test_class_indices_get_their_words(head: Head, prediction: Any, found: list[tuple[str, float]]) -> None:
    report = await ask_with(head, prediction)
    assert [(one.label, one.score) for one in report.detections] == found


@pytest.mark.parametrize("prediction", [1, {"2": 0.9}, {"SAFE": 0.9}, [0.1, 0.9], {"1": None}, {"-1": 0.9}])
async def test_an_index_without_a_word_is_a_failure(prediction: Any) -> None:
    with pytest.raises(DetectorCommunicationFailed):
        await ask_with(INJECTION, prediction)


async def test_a_checkpoint_is_known_by_the_version_that_its_vocabulary_has() -> None:
    assert (await ask_with(TOXICITY, {"0": 1.0, "1": -9.0})).version == "original"
    assert (await ask_with(INJECTION, {"0": 0.1, "1": 0.9})).version == "served"
