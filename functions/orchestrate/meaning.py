"""What detectors' words mean: each distinct one is mapped once."""

from collections.abc import Mapping as ReadOnly
from collections.abc import Sequence
from dataclasses import dataclass, field

from llama_mapper.contracts.detection import DetectorReport
from llama_mapper.contracts.identifiers import DetectorId, TenantId
from llama_mapper.contracts.mapping import Mapping, VendorFinding, Versions

from .detectors.versions import UNSTATED
from .ports import Map
from .reports import found, or_none, unmapped


@dataclass(frozen=True, slots=True)
class Meaning:
    """*vocabularies* and *editions* say whose words a detector speaks, where they are not its own."""

    mapper: Map
    vocabularies: ReadOnly[DetectorId, DetectorId] = field(default_factory=dict)
    editions: ReadOnly[DetectorId, str] = field(default_factory=dict)

    async def of(
        self,
        reports: Sequence[DetectorReport],
        seconds: float,
        tenant_id: TenantId,
        versions: Versions,
        degraded: list[str],
    ) -> tuple[list[tuple[VendorFinding, Mapping]], Sequence[Mapping]]:
        """Map each distinct vendor label once, then give every detection its label's mapping; return both."""
        findings = found(reports)
        distinct = {(f.detector, f.detector_version, f.label, f.severity): f for f in findings}
        words = [self._word(finding) for finding in distinct.values()]
        mappings = await or_none(self.mapper.map(words, seconds, tenant_id), "mapper", degraded) if words else ()
        if mappings is None:  # fail closed: what nobody could map is unknown, and the policy sends it to a person
            mappings = [unmapped(word, versions) for word in words]
        by_word = dict(zip(distinct, mappings, strict=True))
        pairs = [(f, by_word[(f.detector, f.detector_version, f.label, f.severity)]) for f in findings]
        return pairs, mappings

    def _word(self, finding: VendorFinding) -> VendorFinding:
        """Of a finding what the mapper needs: nothing that tells of the content.

        A version that nobody stated fits wherever a vocabulary has one edition.
        """
        stated = "unknown" if finding.detector_version == UNSTATED else finding.detector_version
        return finding.model_copy(
            update={
                "score": None,
                "span": None,
                "detector": self.vocabularies.get(finding.detector, finding.detector),
                "detector_version": self.editions.get(finding.detector, stated),
            }
        )
