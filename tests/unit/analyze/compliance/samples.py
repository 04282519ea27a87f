"""Two small frameworks and a small world of detectors, as the tests of compliance need them."""

from typing import Any

from functions.analyze.compliance.detectors import Speakers
from functions.analyze.frameworks import Framework


def control(name: str, **rest: str) -> dict[str, str]:
    return {"id": name, "title": f"Title {name}", "summary": "A sentence.", "reference": "Somewhere"} | rest


def touching(label: str, *controls: str) -> dict[str, Any]:
    return {"label": label, "controls": [{"id": name, "rationale": f"{label} and {name}."} for name in controls]}


def framework(name: str = "rules", **changes: Any) -> Framework:
    document: dict[str, Any] = {
        "framework": name,
        "name": "Some rules",
        "edition": "First",
        "published": "2023-12",
        "effective": "2024-01-01",
        "reference": "https://example.org/rules",
        "version": "2026.11",
        "controls": [control("R 1"), control("R 2"), control("R 3")],
        "mappings": [
            touching("PII", "R 1"),
            touching("PII.Contact", "R 1", "R 2"),
            touching("SECRET", "R 3"),
            {"label": "HARM", "none": "These rules are not about harm."},
        ],
    }
    return Framework.model_validate(document | changes)


SPEAKERS = Speakers.model_validate(
    {
        "version": "1",
        "speakers": [
            {"detector": "mail", "versions": ["2"], "aliases": ["post"], "labels": ["PII.Contact.Email"]},
            {"detector": "broad", "versions": ["*"], "labels": ["PII"]},
            {"detector": "keys", "versions": ["1"], "labels": ["SECRET", "SECRET.Token"]},
            {"detector": "keys", "versions": ["1.5"], "labels": ["SECRET.Token", "SECRET.Key"]},
            {"detector": "everything", "versions": ["1"], "runs": False, "labels": ["PII", "SECRET", "HARM"]},
        ],
    }
)
