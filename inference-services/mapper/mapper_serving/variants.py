"""Several adapter versions at once: each label is assigned to one of them, and stays with it."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

from pydantic import Field, StringConstraints

from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.mapping import VendorFinding
from llama_mapper.contracts.wire import Token, Wire

from .adapters import identity
from .resolution import Resolution
from .service import not_served

MAX_VARIANTS = 8


class VariantSetting(Wire):
    """One element of ``MAPPER_VARIANTS``: where an adapter version is served, and its part of the labels."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]{1,200}$")]
    model: Token = Field(default="mapper-llm", description="Name the server serves the adapter under")
    adapter: Path = Field(description="Folder of the adapter")
    share: float = Field(ge=0, le=100, description="Percent of the labels; 0 answers only who asks for it by name")


class Answering(Protocol):
    """One adapter version behind its predictor (``chooser.Chooser``).

    Raises:
        Unavailable, RequestTimeout: no answer within the mapper's budget.
    """

    version: str

    def start(self) -> None:
        """Begin what takes time; called inside the running loop, as often as one likes."""

    async def resolve(self, finding: VendorFinding) -> Resolution: ...

    async def guess(self, finding: VendorFinding) -> Resolution: ...


@dataclass(frozen=True, slots=True)
class Variant:
    """*share* is a weight: what the shares add up to does not matter to the assignment."""

    model: Answering
    share: float


class Variants:
    """Fills the port ``Model`` with one version or several."""

    def __init__(self, variants: Sequence[Variant]) -> None:
        self._models: Mapping[str, Answering] = {variant.model.version: variant.model for variant in variants}
        self._shares = {variant.model.version: variant.share for variant in variants if variant.share > 0}
        self._only = next(iter(self._shares)) if len(self._shares) == 1 else None

    def start(self) -> None:
        """Begin what takes time in every version."""
        for model in self._models.values():
            model.start()

    def assign(self, finding: VendorFinding, tenant_id: TenantId, asked: str | None = None) -> str:
        """Return the version that answers *finding* for *tenant_id*: the one *asked* for, else the label's own.

        Raises:
            InvalidRequest: *asked* is not served here.
        """
        if asked is not None:
            if asked not in self._models:
                raise not_served(sorted(self._models))
            return asked
        if self._only is not None:
            return self._only
        label = f"{tenant_id}\0{identity(finding)}"
        return max(self._shares, key=lambda version: self._pull(version, label))

    def _pull(self, version: str, label: str) -> float:
        """How strongly *version* pulls *label*: weighted rendezvous hashing, where the strongest takes it.

        With a uniform u from the hash, -share / ln u is largest for a version as often as its share says (Schindelhauer
        and Schomaker 2005, the logarithmic method). A share that grows takes labels from the others and loses none, so
        a rollout in steps moves each label at most once.
        """
        digest = hashlib.sha256(f"{version}\0{label}".encode()).digest()
        uniform = ((int.from_bytes(digest[:8]) >> 12) + 0.5) / 2**52  # above 0 and below 1 also as a float
        return -self._shares[version] / math.log(uniform)

    async def resolve(self, finding: VendorFinding, adapter: str) -> Resolution:
        return await self._models[adapter].resolve(finding)

    async def guess(self, finding: VendorFinding, adapter: str) -> Resolution:
        return await self._models[adapter].guess(finding)
