"""A detector of marked words, found as regular expressions find theirs: wherever a window holds them whole."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from functions.orchestrate.ports import NOTHING_SAID, Circumstances
from llama_mapper.contracts.analysis import CanonicalFinding
from llama_mapper.contracts.detection import DetectorReport
from llama_mapper.contracts.identifiers import DetectorId, TenantId
from llama_mapper.contracts.orchestration import Coverage, Decision

from .orchestration import SayingDetect, SayingPolicy, give, report

MARKS = {"MAIL": "EMAIL", "KEY": "KEY"}
_MARKED = re.compile(r"\b(MAIL|KEY)-[\w@-]+")


@dataclass
class MarkedWords(SayingDetect):
    """``words`` finds ``MAIL-…`` and ``KEY-…``; *lost* does not answer in the windows *lost_in*, counted from 1."""

    offered: dict[str, str] = field(default_factory=lambda: {"words": "pii"})
    lost: str = ""
    lost_in: frozenset[int] = frozenset()

    async def detect(
        self, content: str, detectors: Sequence[DetectorId], seconds: float, tenant_id: TenantId
    ) -> tuple[DetectorReport, ...]:
        self.asked.append((content, tuple(detectors), seconds, tenant_id))
        give(self.answer)
        late = len(self.asked) in self.lost_in
        return tuple(
            report(name, status="timeout") if late and name == self.lost else said(name, content) for name in detectors
        )


class PillarPolicy(SayingPolicy):
    """Decides by the first of the pillars in *actions* that was found; else allows."""

    def __init__(self, actions: dict[str, str]) -> None:
        super().__init__()
        self._actions = actions

    async def decide(
        self,
        findings: Sequence[CanonicalFinding],
        coverage: Coverage,
        tenant_id: TenantId,
        circumstances: Circumstances = NOTHING_SAID,
    ) -> Decision:
        pillars = [finding.label.split(".")[0] for finding in findings]
        self.action = next((self._actions[pillar] for pillar in pillars if pillar in self._actions), "allow")
        return await super().decide(findings, coverage, tenant_id, circumstances)


def said(name: str, content: str) -> DetectorReport:
    """What ``words``, or another detector, says of *content*."""
    found = [
        {"label": MARKS[m.group(1)], "score": 0.9, "span": {"start": m.start(), "end": m.end()}}
        for m in _MARKED.finditer(content)
    ]
    return DetectorReport.model_validate(report(name).model_dump() | {"detections": found if name == "words" else []})
