"""Canonical findings as a test needs them."""

from typing import Any

from llama_mapper.contracts.analysis import CanonicalFinding

SOURCE = {
    "detector": "words",
    "detector_version": "1.0",
    "vendor_label": "WORD",
    "method": "rule",
    "relation": "exact",
    "score": 1.0,
}


def found(
    label: str = "PII.Contact.Email", confidence: float = 0.9, severity: int = 2, **rest: Any
) -> CanonicalFinding:
    said = {"label": label, "confidence": confidence, "severity": severity, "sources": [SOURCE]}
    return CanonicalFinding.model_validate(said | rest)
