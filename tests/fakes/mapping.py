"""The mapper's ports: a model, a cache and a review queue that do as a test says and remember what they were asked."""

from collections.abc import Sequence

from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.mapping import MappedLabel, Usage, VendorFinding
from llama_mapper.contracts.problems import Problem
from mapper_serving.resolution import Resolution
from mapper_serving.review_memory import MemoryReviews
from mapper_serving.reviews import Doubted
from mapper_serving.service import not_served


def used(cost_microdollars: float = 40.0) -> Usage:
    return Usage(
        prompt_tokens=80,
        completion_tokens=2,
        compute_seconds=0.1,
        latency_ms=120.0,
        cost_microdollars=cost_microdollars,
        prices="p.1",
    )


def resolved(
    label: str = "PII.Contact.Email", confidence: float = 0.8, usage: Usage | None = None, adapter: str = "lora.1"
) -> Resolution:
    mapped = MappedLabel.model_validate(
        {"label": label, "relation": "exact", "confidence": confidence, "severity": 2}
    )  # fmt: skip
    return Resolution(labels=(mapped,), method="model", model="small", adapter=adapter, prompt="p1", usage=usage)


class SayingModel:
    """Gives *answer* to every label, or fails with it; one adapter version."""

    version = "lora.1"

    def __init__(self, answer: Resolution | Problem) -> None:
        self._answer = answer
        self.asked: list[str] = []

    def start(self) -> None:
        """Nothing takes time here."""

    def assign(self, finding: VendorFinding, tenant_id: TenantId, asked: str | None = None) -> str:
        if asked not in (None, self.version):
            raise not_served([self.version])
        return self.version

    async def resolve(self, finding: VendorFinding, adapter: str) -> Resolution:
        self.asked.append(finding.label)
        if isinstance(self._answer, Problem):
            raise self._answer
        return self._answer

    async def guess(self, finding: VendorFinding, adapter: str) -> Resolution:
        return Resolution(labels=(), method="fallback", adapter=adapter)


class SayingVersion:
    """One adapter *version* behind its predictor; gives *answer* to every label, or fails with it."""

    def __init__(self, version: str, answer: Resolution | Problem | None = None) -> None:
        self.version = version
        self.started = False
        self.asked: list[str] = []
        self._answer = answer or resolved(adapter=version)

    def start(self) -> None:
        self.started = True

    async def resolve(self, finding: VendorFinding) -> Resolution:
        self.asked.append(finding.label)
        if isinstance(self._answer, Problem):
            raise self._answer
        return self._answer

    async def guess(self, finding: VendorFinding) -> Resolution:
        return Resolution(labels=(), method="fallback", adapter=self.version)


class KeepingCache:
    """Keeps one answer for each label, and gives it to the adapter that made it."""

    def __init__(self) -> None:
        self.kept: dict[str, Resolution] = {}
        self.asked: list[str] = []

    async def get(self, finding: VendorFinding, adapter: str) -> Resolution | None:
        self.asked.append(finding.label)
        kept = self.kept.get(finding.label)
        return kept if kept and kept.adapter == adapter else None

    async def put(self, finding: VendorFinding, adapter: str, resolution: Resolution) -> None:
        self.kept[finding.label] = resolution


class ListedAccounts:
    """Lets everybody ask but the tenants that are *over* their limit, and keeps who was charged for what."""

    def __init__(self, *over: str) -> None:
        self.over = over
        self.charged: list[tuple[str, str, Usage]] = []

    async def may_ask(self, tenant_id: TenantId) -> bool:
        return tenant_id not in self.over

    def charge(self, tenant_id: TenantId, adapter: str, usage: Usage) -> None:
        self.charged.append((tenant_id, adapter, usage))


class ListedReviews(MemoryReviews):
    """Keeps what came with its doubts, each time, beside the queue."""

    def __init__(self) -> None:
        super().__init__()
        self.labels: list[str] = []
        self.doubts: list[Doubted] = []

    async def add(self, finding: VendorFinding, tenant_id: TenantId, doubted: Doubted) -> None:
        self.labels.append(finding.label)
        self.doubts.append(doubted)
        await super().add(finding, tenant_id, doubted)


class CountedFallbacks:
    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, name: str) -> None:
        self.names.append(name)


def finding(label: str, detector: str = "somebody", version: str = "unknown", **rest: object) -> VendorFinding:
    return VendorFinding.model_validate({"detector": detector, "detector_version": version, "label": label, **rest})


def names(labels: Sequence[MappedLabel]) -> list[str]:
    return [label.label for label in labels]
