"""The mapping itself: exact rule, else cache, else model, else OTHER.Unknown and the review queue."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from llama_mapper.contracts.mapping import MappedLabel, Mapping, MapRequest, Provenance, VendorFinding, Versions
from llama_mapper.contracts.problems import RequestTimeout, Unavailable
from llama_mapper.taxonomy.tree import UNKNOWN

from .resolution import Resolution
from .rules import Rules

DEFAULT_THRESHOLD = 0.6

OnFallback = Callable[[str], None]


class Cache(Protocol):
    """Answers of the model, by label identity; a store that is down finds nothing and keeps nothing."""

    async def get(self, finding: VendorFinding) -> Resolution | None: ...

    async def put(self, finding: VendorFinding, resolution: Resolution) -> None: ...


class Model(Protocol):
    """Maps labels that no rule knows.

    Raises:
        Unavailable, RequestTimeout: no answer within the mapper's budget.
    """

    def start(self) -> None:
        """Begin what takes time; called inside the running loop, as often as one likes."""

    async def resolve(self, finding: VendorFinding) -> Resolution: ...


class Reviews(Protocol):
    """Labels a person should look at, each once however often it comes."""

    async def add(self, finding: VendorFinding) -> None: ...


@dataclass(frozen=True, slots=True)
class Mapper:
    """Everything ``map_finding`` needs; *model* is None where none is configured."""

    rules: Rules
    cache: Cache
    reviews: Reviews
    versions: Versions
    model: Model | None = None
    threshold: float = DEFAULT_THRESHOLD
    on_fallback: OnFallback = lambda name: None

    async def map_finding(self, finding: VendorFinding) -> Mapping:
        """Map one finding; always at least one label, never an error about the label itself."""
        threshold = self.threshold
        if isinstance(finding, MapRequest) and finding.threshold is not None:
            threshold = finding.threshold
        resolution = self.rules.resolve(finding) or await self.cache.get(finding) or await self._ask_model(finding)
        if resolution:
            sure = tuple(label for label in resolution.labels if label.confidence >= threshold)
            if sure:
                return self._answer(finding, resolution.model_copy(update={"labels": sure}), review=False)
        await self.reviews.add(finding)
        return self._answer(finding, _unknown(), review=True)

    async def _ask_model(self, finding: VendorFinding) -> Resolution | None:
        if self.model is None:
            return None
        try:
            resolution = await self.model.resolve(finding)
        except (Unavailable, RequestTimeout) as problem:
            self.on_fallback(f"mapper.model.{problem.error_code.lower()}")
            return None
        await self.cache.put(finding, resolution.model_copy(update={"method": "cache"}))
        return resolution

    def _answer(self, finding: VendorFinding, resolution: Resolution, *, review: bool) -> Mapping:
        return Mapping(
            labels=resolution.labels,
            method=resolution.method,
            negative=resolution.negative,
            review=review,
            provenance=Provenance(
                vendor=finding.detector,
                detector=finding.detector,
                detector_version=finding.detector_version,
                vendor_label=finding.label,
                vendor_severity=finding.severity,
                raw_ref=finding.raw_ref,
                vocabulary=resolution.vocabulary,
                model=resolution.model,
                adapter=resolution.adapter,
                prompt=resolution.prompt,
            ),
            versions=self.versions,
        )


def _unknown() -> Resolution:
    """Confidence 0: nothing is claimed about the finding but that its label is not known."""
    label = MappedLabel(label=UNKNOWN, relation="broader", confidence=0.0, severity=1)
    return Resolution(labels=(label,), method="fallback")
