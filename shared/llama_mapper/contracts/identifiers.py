"""Ids that must not be swapped: one type each, with the pattern it must match."""

from typing import Annotated, NewType

from pydantic import StringConstraints

TenantId = NewType("TenantId", str)
RequestId = NewType("RequestId", str)
CorrelationId = NewType("CorrelationId", str)
EventId = NewType("EventId", str)
JobId = NewType("JobId", str)
EvaluationId = NewType("EvaluationId", str)
DetectorId = NewType("DetectorId", str)
CanonicalLabel = NewType("CanonicalLabel", str)
FrameworkId = NewType("FrameworkId", str)
ContentHmac = NewType("ContentHmac", str)

AnyTenantId = Annotated[TenantId, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")]
HolderId = Annotated[TenantId, StringConstraints(pattern=r"^(?:\*|[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)$")]
"""A tenant, or ``*``: the platform itself, whose administrators belong to every tenant."""
AnyRequestId = Annotated[RequestId, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{7,63}$")]
AnyCorrelationId = Annotated[CorrelationId, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{7,63}$")]
AnyEventId = Annotated[EventId, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$")]
AnyJobId = Annotated[JobId, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{7,63}$")]
AnyEvaluationId = Annotated[EvaluationId, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{7,63}$")]
AnyDetectorId = Annotated[DetectorId, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$")]
AnyCanonicalLabel = Annotated[
    CanonicalLabel, StringConstraints(pattern=r"^[A-Z][A-Z_]*(?:\.[A-Z][A-Za-z0-9]*){0,3}$", max_length=80)
]
AnyFrameworkId = Annotated[FrameworkId, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
AnyContentHmac = Annotated[ContentHmac, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""HMAC-SHA-256 of the content under the tenant's key, hex: equal for equal content, useless without the key."""
