"""The mapper's ports: a model, a cache and a review queue that do as a test says and remember what they were asked."""

from collections.abc import Sequence

from llama_mapper.contracts.mapping import MappedLabel, VendorFinding
from llama_mapper.contracts.problems import Problem
from mapper_serving.resolution import Resolution


def resolved(label: str = "PII.Contact.Email", confidence: float = 0.8) -> Resolution:
    mapped = MappedLabel.model_validate(
        {"label": label, "relation": "exact", "confidence": confidence, "severity": 2}
    )  # fmt: skip
    return Resolution(labels=(mapped,), method="model", model="small", adapter="lora.1", prompt="p1")


class SayingModel:
    """Gives *answer* to every label, or fails with it."""

    def __init__(self, answer: Resolution | Problem) -> None:
        self._answer = answer
        self.asked: list[str] = []

    def start(self) -> None:
        """Nothing takes time here."""

    async def resolve(self, finding: VendorFinding) -> Resolution:
        self.asked.append(finding.label)
        if isinstance(self._answer, Problem):
            raise self._answer
        return self._answer


class KeepingCache:
    """Keeps by label alone."""

    def __init__(self) -> None:
        self.kept: dict[str, Resolution] = {}
        self.asked: list[str] = []

    async def get(self, finding: VendorFinding) -> Resolution | None:
        self.asked.append(finding.label)
        return self.kept.get(finding.label)

    async def put(self, finding: VendorFinding, resolution: Resolution) -> None:
        self.kept[finding.label] = resolution


class ListedReviews:
    def __init__(self) -> None:
        self.labels: list[str] = []

    async def add(self, finding: VendorFinding) -> None:
        self.labels.append(finding.label)


class CountedFallbacks:
    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, name: str) -> None:
        self.names.append(name)


def finding(label: str, detector: str = "somebody", version: str = "unknown", **rest: object) -> VendorFinding:
    return VendorFinding.model_validate({"detector": detector, "detector_version": version, "label": label, **rest})


def names(labels: Sequence[MappedLabel]) -> list[str]:
    return [label.label for label in labels]
