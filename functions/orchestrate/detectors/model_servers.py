"""Detectors that KServe serves: content goes to a classifier's V1 predict endpoint, labels and scores come back."""

import math
import re
import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import httpx
from purgatory import AsyncCircuitBreakerFactory
from pydantic import Field

from llama_mapper.chassis import correlation
from llama_mapper.chassis.calls import Transient, insist
from llama_mapper.contracts.detection import Detection, DetectorReport
from llama_mapper.contracts.identifiers import AnyDetectorId, DetectorId
from llama_mapper.contracts.problems import DetectorCommunicationFailed, DetectorOverloaded, Unavailable
from llama_mapper.contracts.wire import Token, Wire

from .slots import Slots
from .versions import UNSTATED

# What a text-classification head says at or above this score is a finding.
MIN_SCORE = 0.5
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+-]{0,127}")


class Head(Wire):
    """What a classifier's numbers mean, where its server answers class indices as KServe's Hugging Face runtime does.

    ``logits`` of a model with several labels at once become scores one by one; ``probabilities`` are scores already.
    """

    classes: Annotated[tuple[Token, ...], Field(min_length=1, max_length=64)]
    """The vendor's words, in the order of the indices."""
    scores: Literal["probabilities", "logits"] = "probabilities"
    version: Token | None = None
    """The checkpoint by which its vocabulary knows it; what the server states when absent."""


class Words(Wire):
    """Whose words a model server speaks, where its name is not that vocabulary's."""

    vocabulary: AnyDetectorId
    version: Token = "unknown"
    """Which of its editions, where there are several."""


class KServeModelServers:
    """*urls* maps a detector to its predict URL (``…/v1/models/NAME:predict``), *heads* to what its indices mean.

    Each is given *concurrency* calls at once.
    """

    def __init__(
        self,
        urls: Mapping[str, str],
        client: httpx.AsyncClient,
        heads: Mapping[str, Head] | None = None,
        breakers: AsyncCircuitBreakerFactory | None = None,
        *,
        attempts: int = 2,
        concurrency: int = 64,
    ) -> None:
        self._urls = urls
        self._heads = heads or {}
        self._client = client
        self._breakers = breakers or AsyncCircuitBreakerFactory()
        self._attempts = attempts
        self._slots = {name: Slots(name, concurrency) for name in urls}

    async def detect(self, detector: DetectorId, content: str, seconds: float) -> DetectorReport:
        """Ask one model server.

        Raises:
            RequestTimeout, Unavailable, DetectorOverloaded, DetectorCommunicationFailed
        """
        started = time.monotonic()
        slots = self._slots[detector]

        async def once(left: float) -> httpx.Response:
            return await self._once(detector, content, left)

        async with slots.admitted():
            response = await insist(
                detector,
                once,
                self._breakers,
                seconds=max(0.05, seconds),
                attempts=self._attempts,
                slot=slots.taken,
                circuit=f"model.{detector}",
            )
        head = self._heads.get(detector)
        return DetectorReport(
            detector=detector,
            version=(head and head.version) or _version(response),
            family="classifiers",
            status="ok",
            detections=tuple(_detections(response, head)),
            windows=1,
            latency_ms=round((time.monotonic() - started) * 1000, 1),
        )

    async def _once(self, detector: str, content: str, seconds: float) -> httpx.Response:
        try:
            response = await self._client.post(
                self._urls[detector],
                json={"instances": [content]},
                headers={correlation.HEADER: correlation.current()},
                timeout=seconds,
            )
        except httpx.TimeoutException:
            raise  # the deadline's, not tried again
        except httpx.HTTPError as error:
            raise Transient(detector) from error
        if response.status_code == 429:
            raise DetectorOverloaded(f"{detector} takes no more for now", retry_after_seconds=1)
        if response.status_code >= 500:
            raise Transient(detector)
        if response.status_code != 200:
            raise Unavailable(f"{detector} refused the request")
        return response


def _version(response: httpx.Response) -> str:
    """The version the server states, where it is a version and not prose."""
    stated = response.headers.get("x-model-version", "")
    return stated if _VERSION.fullmatch(stated) else UNSTATED


def _named(prediction: Any, head: Head) -> dict[str, float]:
    """Words for indices. An index without a word, or a number that is none, is a shape we do not know."""
    words = dict(enumerate(head.classes))
    numbers = {words[int(index)]: float(number) for index, number in prediction.items()}
    if head.scores == "probabilities":
        return numbers
    return {label: 1 / (1 + math.exp(-max(-700.0, number))) for label, number in numbers.items()}


def _detections(response: httpx.Response, head: Head | None = None) -> list[Detection]:
    """Read ``predictions[0]``: label -> score, a list of {label, score}, or one {label, score}.

    Raises:
        DetectorCommunicationFailed: another shape, for instance bare class indices that name nothing.
    """
    try:
        prediction: Any = response.json()["predictions"][0]
        scores: dict[str, float]
        if head is not None:
            scores = _named(prediction, head)
        elif isinstance(prediction, list):
            scores = {}
            for entry in prediction:
                label = str(entry["label"])
                scores[label] = max(float(entry["score"]), scores.get(label, 0.0))
        elif "label" in prediction and "score" in prediction:
            scores = {str(prediction["label"]): float(prediction["score"])}
        else:
            scores = {str(label): float(score) for label, score in prediction.items()}
        return [Detection(label=label, score=score) for label, score in scores.items() if score >= MIN_SCORE]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise DetectorCommunicationFailed("the model server answered in a shape we do not know") from error
