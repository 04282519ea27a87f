"""Dead letters: that a delivery failed for good, without a word of what it carried.

The letter may be any CloudEvent, also one that breaks our contracts (that may be why it is here). So nothing about
it is taken on trust: an attribute that does not look as it should is left out, or hashed where it is an identity.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, TypeVar, get_args
from urllib.parse import unquote

from pydantic import AwareDatetime, Field, StringConstraints, TypeAdapter, ValidationError

from llama_mapper.contracts.identifiers import AnyCorrelationId, AnyEventId, AnyTenantId
from llama_mapper.contracts.problems import ErrorCode, Unprocessable

from .rows import MAX_AGE, EventSource, Row

STRUCTURED = "application/cloudevents+json"

EventType = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
Destination = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.:/_\[\]-]{1,240}$")]
_ERROR_CODE = re.compile(r'"error_code"\s*:\s*"([A-Z_]+)"')

T = TypeVar("T")


class DeadLetterRow(Row):
    """One event that one destination could not handle; ``status`` is the destination's last answer, 0 for none."""

    table: ClassVar[str] = "dead_letters"

    tenant_id: AnyTenantId | Annotated[str, StringConstraints(max_length=0)]
    event_source: EventSource
    event_id: AnyEventId
    event_type: EventType
    destination: Destination | Annotated[str, StringConstraints(max_length=0)]
    status: int = Field(ge=0, le=999)
    error_code: ErrorCode | None
    correlation_id: AnyCorrelationId | None
    occurred_at: AwareDatetime
    recorded_at: AwareDatetime


def attributes(headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """Return the CloudEvents attributes of a delivery in binary or structured mode; the data is not looked at.

    Raises:
        Unprocessable: no event, or one without id, source and type.
    """
    if headers.get("content-type", "").startswith(STRUCTURED):
        event: Any = json.loads(body)
        found = {k: str(v) for k, v in event.items() if isinstance(v, str | int)} if isinstance(event, dict) else {}
    else:
        # Header values may be percent-encoded (CloudEvents HTTP binding 3.1.3.2).
        found = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    if not all(found.get(name) for name in ("id", "source", "type")):
        raise Unprocessable("this is not a CloudEvent with id, source and type")
    return found


def dead_letter(event: Mapping[str, str], now: datetime) -> DeadLetterRow:
    """Make the row of an undeliverable *event*, given its attributes."""
    occurred = _fitting(AwareDatetime, event.get("time"))
    status = _fitting(int, event.get("knativeerrorcode")) or 0
    return DeadLetterRow(
        tenant_id=_fitting(AnyTenantId, event.get("tenantid")) or "",
        event_source=_fitting(EventSource, event["source"]) or _hashed(event["source"]),
        event_id=_fitting(AnyEventId, event["id"]) or _hashed(event["id"]),
        event_type=_fitting(EventType, event["type"]) or "unreadable",
        destination=_fitting(Destination, event.get("knativeerrordest")) or "",
        status=status if 0 <= status <= 999 else 0,
        error_code=_error_code(event.get("knativeerrordata", "")),
        correlation_id=_fitting(AnyCorrelationId, event.get("correlationid")),
        occurred_at=occurred if occurred and now - MAX_AGE < occurred < now else now,
        recorded_at=now,
    )


def _fitting(kind: Any, value: str | None) -> Any:
    """Return *value* as *kind*, or None where it does not fit."""
    try:
        return TypeAdapter(kind).validate_python(value) if value else None
    except ValidationError:
        return None


def _hashed(value: str) -> str:
    """Stand for an identity that is not fit to be kept; the same one gives the same word."""
    return f"sha256:{hashlib.sha256(value.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _error_code(answer: str) -> ErrorCode | None:
    """Find our error code in the answer that made the letter dead.

    The answer is a problem document cut at 1,024 characters, so it need not parse; the Kafka broker encodes it in
    base64.
    """
    if not answer.lstrip().startswith("{"):
        try:
            answer = base64.b64decode(answer).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return None
    found = _ERROR_CODE.search(answer)
    code: Any = found.group(1) if found else None
    return code if code in get_args(ErrorCode) else None
