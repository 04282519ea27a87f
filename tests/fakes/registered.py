"""A detector that speaks detect's contract, on the loopback, as a team would register it."""

import json
from collections.abc import Callable
from typing import Any

from functions.orchestrate.registration.registering import TRIAL
from llama_mapper.contracts.detection import DetectorReport, DetectRequest
from tests.fakes.subscriber import Answer, Received

JSON = {"content-type": "application/json"}
Bend = Callable[[Received], Answer]


def saying(detector: str, *labels: str, version: str = "1.0", family: str = "classifiers", **more: Any) -> Bend:
    """Finds *labels* in whatever it is asked; the first word of the content is where."""

    def answer(received: Received) -> Answer:
        asked = DetectRequest.model_validate_json(received.body)
        place = {"start": 0, "end": max(1, asked.content.find(" "))}
        found = [{"label": label, "score": 0.9, "span": place} for label in labels]
        report = {"detector": detector, "version": version, "family": family, "status": "ok", "detections": found}
        said = DetectorReport.model_validate(report | more)
        return Answer(200, JSON, json.dumps({"reports": [said.model_dump(mode="json")]}).encode())

    return answer


def registration(url: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "team-a.judge",
        "version": "1.0",
        "family": "classifiers",
        "url": url,
        "vocabulary": "hatesonar",
    } | more


def is_trial(received: Received) -> bool:
    return bool(json.loads(received.body).get("content") == TRIAL)
