"""A tenant's own configuration: what its administrators, or the platform's, make stricter for it.

Every field may be left out, and then says nothing. Nothing here loosens what the platform's policies say: what would is
refused, and has no effect where it was written before the policies became stricter.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, NonNegativeInt, PositiveInt, StringConstraints

from .identifiers import AnyCanonicalLabel, AnyDetectorId, AnyTenantId
from .identity import Subject
from .orchestration import Action, Priority
from .redaction import RedactionOperator
from .wire import Confidence, Severity, Wire

MAX_LABELS = 200
MAX_DETECTORS = 32
MAX_HOSTS = 32

Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
"""An obligation, or a queue of reviews."""

HostName = Annotated[
    str,
    StringConstraints(
        pattern=r"^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$",
        max_length=253,
    ),
]
"""A host by name, or all below one (``*.example.org``)."""

Why = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/#-]{0,63}$")]
"""Why something was changed: the number of a ticket, say."""

By = Literal["platform", "own"]
"""Who configured: the platform's administrators, or the tenant's own."""


class Thresholds(Wire):
    """From which confidence on a finding counts (lower is stricter), and how much coverage a decision needs."""

    confidence: Confidence | None = None
    coverage: Confidence | None = None


class LabelRule(Wire):
    """What to do about a label and all below it, from a severity on; the platform's own rule holds as well."""

    label: AnyCanonicalLabel
    min_severity: Severity = 0
    action: Action
    obligations: tuple[Word, ...] = Field(default=(), max_length=8)


class TenantConfiguration(Wire):
    """What one side says about a tenant."""

    enabled: bool | None = None
    key_required: bool | None = None
    max_content_characters: int | None = Field(default=None, ge=1, le=50_000)
    max_priority: Priority | None = None
    requests_per_minute: int | None = Field(default=None, ge=1, le=1_000_000, description="Of the whole tenant")
    requests_per_day: int | None = Field(default=None, ge=1, le=1_000_000_000)
    thresholds: Thresholds | None = None
    labels: tuple[LabelRule, ...] | None = Field(default=None, max_length=MAX_LABELS)
    extra_detectors: tuple[AnyDetectorId, ...] | None = Field(
        default=None, max_length=MAX_DETECTORS, description="Run beside the platform's; a caller may leave them out"
    )
    required_detectors: tuple[AnyDetectorId, ...] | None = Field(
        default=None, max_length=MAX_DETECTORS, description="Run whatever the caller says, and missed in the coverage"
    )
    redaction_operators: tuple[RedactionOperator, ...] | None = Field(default=None, max_length=3)
    callback_hosts: tuple[HostName, ...] | None = Field(default=None, max_length=MAX_HOSTS)
    retention_days: int | None = Field(default=None, ge=1, le=3650)
    review_queue: Word | None = Field(default=None, description="Whom human reviews go to")


class TenantRules(Wire):
    """All that holds for a tenant, as the policies add it up; what is None is not limited here."""

    enabled: bool = False
    key_required: bool = True
    max_content_characters: NonNegativeInt = 0
    max_priority: Priority = "low"
    requests_per_minute: PositiveInt | None = None
    requests_per_day: PositiveInt | None = None
    confidence: Confidence = 0.0
    coverage: Confidence = 1.0
    extra_detectors: tuple[AnyDetectorId, ...] = ()
    required_detectors: tuple[AnyDetectorId, ...] = ()
    redaction_operators: tuple[RedactionOperator, ...] = ()
    callback_hosts: tuple[HostName, ...] | None = None
    retention_days: PositiveInt | None = None
    review_queue: Word | None = None


IgnoredField = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}(?:\.[a-z0-9_]{1,32})?$")]


class TenantState(Wire):
    """GET and PUT /api/v1/tenants/{id}/configuration. ``version`` is 0 where nothing was ever configured."""

    tenant_id: AnyTenantId
    version: NonNegativeInt
    platform: TenantConfiguration | None = None
    own: TenantConfiguration | None = None
    rules: TenantRules = Field(description="What holds: the platform's policies and both configurations together")
    ignored: tuple[IgnoredField, ...] = Field(
        default=(), description="Fields of ``own`` that would loosen what holds without them, and have no effect"
    )


class ConfigureTenantRequest(Wire):
    """PUT: the whole configuration of whoever asks; the other side's stays."""

    configuration: TenantConfiguration
    why: Why


class RollbackTenantRequest(Wire):
    """POST …/rollback: the configuration of whoever asks becomes again what it was in ``version``."""

    version: PositiveInt
    why: Why


class TenantVersion(Wire):
    """One version, which never changes; the newest is in force."""

    tenant_id: AnyTenantId
    version: PositiveInt
    at: AwareDatetime
    subject: Subject
    by: By
    why: Why
    restored: PositiveInt | None = Field(default=None, description="The version a rollback took it from")
    platform: TenantConfiguration | None = None
    own: TenantConfiguration | None = None


class TenantChange(Wire):
    """A version without what it says."""

    version: PositiveInt
    at: AwareDatetime
    subject: Subject
    by: By
    why: Why
    restored: PositiveInt | None = None


class TenantVersions(Wire):
    """GET …/versions, newest first."""

    tenant_id: AnyTenantId
    versions: tuple[TenantChange, ...]
