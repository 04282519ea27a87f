"""CloudEvents 1.0 as a broker sees them: any producer's attributes as text, and data it never looks into.

The chassis reads events for a consumer, with our own extensions required; a broker takes every valid event. Faults
name attributes of the standard, never an extension's name or any value.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Mapping
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
_INTEGERS = range(-(2**31), 2**31)
_JSON_TYPE = re.compile(r"[^;]*[/+]json\s*(;|$)", re.IGNORECASE)
_ESCAPE = re.compile(r"\\(.)")
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
    names = [name[3:].lower() for name in headers.keys() if name.lower().startswith("ce-")]  # noqa: SIM118 - see twice
    twice = [name for name in set(names) if names.count(name) > 1]
    read = {name: _from_header(headers[f"ce-{name}"]) for name in names}
    read.pop("datacontenttype", None)  # HTTP binding 3.1.1: in binary mode Content-Type says it
    if body and (content_type := headers.get("content-type")):
        read["datacontenttype"] = content_type
    _refuse("", _faults(read) | {_shown(name): "given more than once" for name in twice})
    return Event({name: str(value) for name, value in read.items()}, body)


def _from_header(value: str) -> str | None:
    """Undo a header's quoting, then its percent-encoding, once (HTTP binding 3.1.3.2); None where it is not UTF-8."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = _ESCAPE.sub(r"\1", value[1:-1])
    try:
        return unquote(value, errors="strict") if value.isascii() else None
    except UnicodeDecodeError:
        return None


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
    # JSON format 2.2: null is as good as absent; but for data, where JSON's null is a value (3.1.1).
    members = {name: value for name, value in item.items() if value is not None}
    data, encoded = members.pop("data", None), members.pop("data_base64", None)
    if "data" in item and encoded is None:
        members.setdefault("datacontenttype", "application/json")
    texts = {name: _text(name, value) for name, value in members.items()}
    faults = _faults(texts)
    if data is not None and encoded is not None:
        faults["data"] = "not together with data_base64"
    body = b""
    try:
        if encoded is not None:
            body = base64.b64decode(encoded, validate=True)
        elif "data" in item:
            body = _encoded(data, texts["datacontenttype"] or "")
    except (_Unwritable, UnicodeEncodeError):
        faults["data"] = "cannot be written as datacontenttype says, in UTF-8"
    except (binascii.Error, TypeError, ValueError):
        faults["data_base64"] = "not base64"
    _refuse(place, faults)
    return Event({name: str(text) for name, text in texts.items()}, body)


def _text(name: str, value: Any) -> str | None:
    """Return the canonical text of an attribute's value; None where the attribute may not have such a value."""
    if isinstance(value, str):
        return value
    if name in _STANDARD:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) and value in _INTEGERS else None


class _Unwritable(Exception):
    """Data of another type than JSON are not text, or JSON data have no JSON (NaN)."""


def _encoded(data: Any, content_type: str) -> bytes:
    if _JSON_TYPE.match(content_type):
        try:
            return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        except ValueError as error:
            raise _Unwritable from error
    if data is None:
        return b""
    if not isinstance(data, str):
        raise _Unwritable
    return data.encode()


def _shown(name: str) -> str:
    return name if name in _STANDARD else "(extension)"


def _faults(attributes: Mapping[str, str | None]) -> dict[str, str]:
    """Return what is wrong, by attribute."""
    faults: dict[str, str] = {}
    for name, value in attributes.items():
        if not _NAME.fullmatch(name) or name == "data":
            faults[_shown(name)] = "an attribute's name has lower-case letters and digits only"
        elif value is None or _CONTROL.search(value):
            faults[_shown(name)] = "not the text that this attribute may have, or with control characters"
        elif name in _FORMS and not _FORMS[name][0](value):
            faults[name] = _FORMS[name][1]
    return {name: "missing" for name in _REQUIRED if name not in attributes or attributes[name] == ""} | faults


# RFC 3339 section 5.6; datetime.fromisoformat alone takes far more of ISO 8601.
_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:)(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110 section 5.6.2
_MEDIA_TYPE = re.compile(rf"{_TOKEN}/{_TOKEN}\s*(;[\x20-\x7e]*)?", re.ASCII)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")


def _is_timestamp(value: str) -> bool:
    parts = _TIMESTAMP.fullmatch(value)
    if not parts:
        return False
    start, second, fraction, offset = parts.groups()
    try:
        # A leap second is a second for RFC 3339, and none for datetime.
        datetime.fromisoformat(f"{start}{'59' if second == '60' else second}{fraction or ''}{offset}".upper())
    except ValueError:
        return False
    return True


_FORMS: dict[str, tuple[Callable[[str], object], str]] = {
    "specversion": (lambda value: value in ("", "1.0"), "only 1.0 is taken"),
    "source": (re.compile(r"\S*").fullmatch, "not a URI reference"),
    "time": (_is_timestamp, "not an RFC 3339 time"),
    "datacontenttype": (_MEDIA_TYPE.fullmatch, "not a media type"),
    "dataschema": (_URI.fullmatch, "not an absolute URI"),
    "subject": (bool, "empty"),
}
"""What the value of a standard attribute must look like, and what is said where it does not."""


def _refuse(place: str, faults: Mapping[str, str]) -> None:
    if faults:
        names = ", ".join(sorted(place + name for name in faults))
        raise InvalidRequest(
            f"this is not a CloudEvent 1.0; check: {names}"[:240], errors=tuple(_errors(place, faults))
        )


def _errors(place: str, faults: Mapping[str, str]) -> Iterator[FieldError]:
    for name, fault in sorted(faults.items()):
        yield FieldError(field=place + name, message=fault)
