"""The policies in force, and POST /api/v1/policies/validate: compile, lint and try a bundle before it decides anything.

A bundle is named, never sent: it is fetched from the bundle store and must have the digest that the caller expects.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, NonNegativeInt, PositiveInt, StringConstraints, model_validator

from .orchestration import Action
from .wire import Token, Wire

MAX_DRY_RUN_REQUESTS = 10_000

_SEGMENT = r"[a-z0-9][a-z0-9._-]{0,63}"

BundleReference = Annotated[
    str, StringConstraints(pattern=rf"^{_SEGMENT}(?:/{_SEGMENT}){{0,3}}(?::[A-Za-z0-9][A-Za-z0-9._-]{{0,63}})?$")
]
"""A bundle's path in the store, with a tag if it has one: ``platform/decision:2026.11``."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

BundleFile = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}$")]


class ValidatePolicyRequest(Wire):
    bundle: BundleReference
    sha256: Sha256
    dry_run_requests: int = Field(
        default=1000, ge=0, le=MAX_DRY_RUN_REQUESTS, description="How many recorded requests are decided again"
    )


class PolicyFault(Wire):
    """Where the bundle is wrong, and the compiler's or linter's code for it; the text itself is not quoted."""

    file: BundleFile
    line: PositiveInt
    code: Token


class DecisionChange(Wire):
    """So many requests would have been decided otherwise."""

    before: Action
    after: Action
    requests: PositiveInt


class DryRun(Wire):
    """The tenant's last requests, decided again from their metadata rows."""

    requests: NonNegativeInt
    changed: NonNegativeInt
    changes: tuple[DecisionChange, ...]

    @model_validator(mode="after")
    def _adds_up(self) -> "DryRun":
        if self.changed != sum(change.requests for change in self.changes) or self.changed > self.requests:
            raise ValueError("changed must be the sum of changes and no more than requests")
        return self


class PolicyValidation(Wire):
    """The answer, 200 either way: a bundle without faults is valid. One with faults is not tried."""

    bundle: BundleReference
    sha256: Sha256
    faults: tuple[PolicyFault, ...]
    dry_run: DryRun | None = None

    @model_validator(mode="after")
    def _only_the_valid_is_tried(self) -> "PolicyValidation":
        if self.faults and self.dry_run is not None:
            raise ValueError("a bundle with faults is not tried")
        return self


ReloadOutcome = Literal["loaded", "refused", "unreachable"]


class PolicyReload(Wire):
    """What became of the last change: ``refused`` leaves the version that was in force, and says what is wrong."""

    outcome: ReloadOutcome
    at: AwareDatetime
    version: Token | None = Field(default=None, description="Of what was tried, where it could be read")
    faults: tuple[PolicyFault, ...] = Field(default=(), max_length=100)


class PoliciesInForce(Wire):
    """GET /api/v1/policies: what decides now, and the last attempt to change it."""

    version: Token = Field(description="As decisions name it: the data's version and the beginning of the digest")
    digest: Sha256 = Field(description="Of rules and data; the same from a folder and from a bundle")
    revision: Token | None = Field(description="The bundle's own, where it is one")
    bundle_sha256: Sha256 | None = Field(description="Of the bundle as a file")
    bundle: BundleReference | None = Field(description="The reference in the bundle store that is followed")
    engine: Literal["in_process", "opa"]
    policies: tuple[Token, ...]
    loaded_at: AwareDatetime
    last_reload: PolicyReload | None = Field(description="None while nothing has changed since the start")
