"""CloudEvents 1.0 as a broker sees them: any producer's attributes as text, and data it never looks into.

The chassis reads events for a consumer, with our own extensions required; a broker takes every valid event. Faults
name attributes of the standard, never an extension's name or any value.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote

from llama_mapper.contracts.problems import FieldError, InvalidRequest

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

_REQUIRED = ("id", "source", "specversion", "type")
_STANDARD = frozenset({*_REQUIRED, "data", "data_base64", "datacontenttype", "dataschema", "subject", "time"})
_NAME = re.compile(r"[a-z0-9]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# HTTP binding 3.1.3.2: a header value percent-encodes all but printable ASCII, and of that space, quote and percent.
_UNESCAPED = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in '"%')


@dataclass(frozen=True, slots=True)
class Event:
    """One event: attributes (extensions too) by name, data as bytes; ``datacontenttype`` says what they are."""

    attributes: Mapping[str, str]
    data: bytes

    def having(self, **attributes: str) -> "Event":
        """Return the event with *attributes* set."""
        return replace(self, attributes={**self.attributes, **attributes})

    def headers(self) -> dict[str, str]:
        """Return the headers of binary content mode."""
        headers = {
            f"ce-{name}": quote(value, safe=_UNESCAPED)
            for name, value in self.attributes.items()
            if name != "datacontenttype"
        }
        if content_type := self.attributes.get("datacontenttype"):
            headers["content-type"] = content_type
        return headers


def parse(headers: Mapping[str, str], body: bytes) -> list[Event]:
    """Read the events of a request: one (binary or structured), or a batch, which is valid as a whole or not at all.

    Args:
        headers: by lower-case name, or case-insensitive.
    Raises:
        InvalidRequest: not a CloudEvent 1.0; each missing or wrong attribute is named.
    """
    if _media_type(headers) != BATCH:
        return [parse_one(headers, body)]
    items = _json(body)
    if not isinstance(items, list):
        raise InvalidRequest("a batch of CloudEvents is a JSON array")
    return [_structured(item, f"{index}.") for index, item in enumerate(items)]


def parse_one(headers: Mapping[str, str], body: bytes) -> Event:
    """Read one event in binary or structured mode.

    Raises:
        InvalidRequest: not a CloudEvent 1.0; each missing or wrong attribute is named.
    """
    media_type = _media_type(headers)
    if media_type == STRUCTURED:
        return _structured(_json(body), "")
    if media_type.startswith("application/cloudevents"):
        raise InvalidRequest("this broker reads the JSON event format only")
    attributes = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    attributes.pop("datacontenttype", None)  # HTTP binding 3.1.1: in binary mode Content-Type says it
    if body and (content_type := headers.get("content-type")):
        attributes["datacontenttype"] = content_type
    _refuse("", _faults(attributes))
    return Event(attributes, body)


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise InvalidRequest("the body is not JSON") from None


def _structured(item: Any, place: str) -> Event:
    if not isinstance(item, dict):
        raise InvalidRequest("a CloudEvent in structured mode is a JSON object")
    members = {name: value for name, value in item.items() if value is not None}
    data, encoded = members.pop("data", None), members.pop("data_base64", None)
    if data is not None:
        members.setdefault("datacontenttype", "application/json")
    faults = _faults({name: _text(value) for name, value in members.items()})
    if data is not None and encoded is not None:
        faults["data"] = "not together with data_base64"
    attributes = {name: str(_text(value)) for name, value in members.items()}
    try:
        body = base64.b64decode(encoded, validate=True) if encoded is not None else _encoded(data, attributes)
    except (binascii.Error, TypeError, ValueError):
        body = b""
        faults["data_base64"] = "not base64"
    _refuse(place, faults)
    return Event(attributes, body)


def _text(value: Any) -> str | None:
    """Return the canonical text of an attribute's value; None where no attribute may have such a value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else None


def _encoded(data: Any, attributes: Mapping[str, str]) -> bytes:
    if data is None:
        return b""
    media_type = attributes.get("datacontenttype", "").partition(";")[0].strip().lower()
    if isinstance(data, str) and not re.search(r"[/+]json$", media_type):
        return data.encode()
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def _faults(attributes: Mapping[str, str | None]) -> dict[str, str]:
    """Return what is wrong, by attribute."""
    faults = {name: "missing" for name in _REQUIRED if not attributes.get(name)}
    for name, value in attributes.items():
        shown = name if name in _STANDARD else "(extension)"
        if not _NAME.fullmatch(name) or name == "data":
            faults[shown] = "an attribute's name has lower-case letters and digits only"
        elif value is None or _CONTROL.search(value):
            faults[shown] = "not text, a whole number or true or false, or has control characters"
    if attributes.get("specversion") and attributes["specversion"] != "1.0":
        faults["specversion"] = "only 1.0 is taken"
    if re.search(r"\s", attributes.get("source") or ""):
        faults["source"] = "not a URI reference"
    if "time" in attributes and "time" not in faults and not _is_timestamp(attributes["time"] or ""):
        faults["time"] = "not an RFC 3339 time"
    return faults


def _is_timestamp(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _refuse(place: str, faults: Mapping[str, str]) -> None:
    if faults:
        names = ", ".join(sorted(place + name for name in faults))
        raise InvalidRequest(
            f"this is not a CloudEvent 1.0; check: {names}"[:240], errors=tuple(_errors(place, faults))
        )


def _errors(place: str, faults: Mapping[str, str]) -> Iterator[FieldError]:
    for name, fault in sorted(faults.items()):
        yield FieldError(field=place + name, message=fault)
