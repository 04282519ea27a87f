"""Which version of a detector answers: a share of the content goes to a candidate, always the same content.

A candidate is another entry of the settings (a model server or an HTTP detector) that speaks the same words; it answers
under the name of the detector that it may replace, with its own version.
"""

import hashlib
import hmac
from collections.abc import Mapping

from pydantic import Field, model_validator

from llama_mapper.contracts.identifiers import AnyDetectorId, DetectorId, TenantId
from llama_mapper.contracts.wire import Wire

UNSTATED = "served"
"""Stands for the version of a detector that states none."""


class Candidate(Wire):
    detector: AnyDetectorId
    """The entry of the settings that serves it."""
    share: float = Field(gt=0, le=1)
    """Of the content that it is asked about."""


class Rollout(Wire):
    """Who else answers for one detector; what is left of the shares stays with the detector itself."""

    candidates: tuple[Candidate, ...] = Field(min_length=1, max_length=8)
    shadow: bool = False
    """Both are asked and only the detector itself counts; whether they agree is counted."""

    @model_validator(mode="after")
    def _shares(self) -> "Rollout":
        if sum(one.share for one in self.candidates) > 1 + 1e-9:
            raise ValueError("the shares are more than the whole")
        if len({one.detector for one in self.candidates}) < len(self.candidates):
            raise ValueError("a candidate stands there twice")
        return self


class Versions:
    """*key* makes the sides unguessable; replicas that share it agree on them."""

    def __init__(self, said: Mapping[DetectorId, Rollout], key: bytes) -> None:
        self._said, self._key = said, key

    def shadowed(self, detector: DetectorId) -> bool:
        return detector in self._said and self._said[detector].shadow

    def candidate(self, detector: DetectorId, tenant_id: TenantId, content: str) -> DetectorId | None:
        """The candidate on whose side *content* is, None where it stays with *detector*."""
        rollout = self._said.get(detector)
        if rollout is None:
            return None
        place = self.place(detector, tenant_id, content)
        for one in rollout.candidates:
            if place < one.share:
                return DetectorId(one.detector)
            place -= one.share
        return None

    def place(self, detector: DetectorId, tenant_id: TenantId, content: str) -> float:
        """Where *content* lies in [0, 1): by a keyed hash, another one for each detector and tenant."""
        said = "\x1f".join((detector, tenant_id, content)).encode("utf-8", "surrogatepass")
        digest = hmac.new(self._key, said, hashlib.sha256).digest()
        return int.from_bytes(digest[:6], "big") / float(1 << 48)
