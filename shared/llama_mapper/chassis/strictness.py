"""What two readers of one request could read differently, or what only an attack needs: refused before anybody parses.

Duplicate keys, ``NaN``, numbers beyond a double, a second Content-Length or Content-Type, another character set, and
packed bodies: nothing here is ever inflated, so no bomb can go off.
"""

import json
from collections import Counter
from typing import Any, NoReturn

from starlette.datastructures import Headers
from starlette.types import Scope

from llama_mapper.contracts.problems import HeadersTooLarge, InvalidRequest, UnsupportedMediaType

MAX_HEADERS = 100
MAX_HEADER_BYTES = 32_768
# A full batch of 500 findings for the mapper has some 5,000, one of 100 contents with all metadata 2,500.
MAX_FIELDS = 20_000
# RFC 9110: a second one of these is a fault, or two intermediaries may each believe another one.
_SINGLE = frozenset({b"content-length", b"content-type", b"host", b"authorization", b"transfer-encoding"})
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})


def check_head(scope: Scope) -> None:
    """Refuse a request by its headers.

    Raises:
        HeadersTooLarge: more than 100 of them, or more than 32 KiB.
        InvalidRequest: one that may stand once stands twice, or two ways to tell the body's length.
        UnsupportedMediaType: a packed body, or JSON in another character set than UTF-8.
    """
    raw: list[tuple[bytes, bytes]] = scope["headers"]
    if len(raw) > MAX_HEADERS or sum(len(name) + len(value) for name, value in raw) > MAX_HEADER_BYTES:
        raise HeadersTooLarge(f"at most {MAX_HEADERS} headers of {MAX_HEADER_BYTES} bytes together")
    if any(count > 1 and name in _SINGLE for name, count in Counter(name for name, _ in raw).items()):
        raise InvalidRequest("a header that may be sent once was sent twice")
    headers = Headers(scope=scope)
    if "content-length" in headers and "transfer-encoding" in headers:
        raise InvalidRequest("Content-Length and Transfer-Encoding exclude each other")
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("send the body as it is, without Content-Encoding")
    _check_charset(headers.get("content-type", ""))


def _check_charset(content_type: str) -> None:
    media_type, *parameters = content_type.lower().split(";")
    named = [value.strip().strip('"') for name, _, value in map(_parted, parameters) if name.strip() == "charset"]
    if "json" in media_type and (len(named) > 1 or not _CHARSETS.issuperset(named)):
        raise UnsupportedMediaType("JSON is UTF-8 (RFC 8259); send it so")


def _parted(parameter: str) -> tuple[str, str, str]:
    return parameter.partition("=")


def check_values(text: str) -> None:
    """Refuse JSON that readers disagree on; what is no JSON at all is a ValueError.

    Raises:
        InvalidRequest: a key twice in an object, a number that is none or too large, more than 20,000 fields.
        ValueError: not JSON.
    """
    fields = 0

    def once(pairs: list[tuple[str, Any]]) -> None:
        nonlocal fields
        fields += len(pairs)
        if fields > MAX_FIELDS:
            raise InvalidRequest(f"the body has more than {MAX_FIELDS} fields")
        if len({key for key, _ in pairs}) < len(pairs):
            raise InvalidRequest("a key stands twice in one object")

    json.loads(text, object_pairs_hook=once, parse_constant=_no_number, parse_float=_finite)


def _no_number(_: str) -> NoReturn:
    raise InvalidRequest("NaN and Infinity are no JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise InvalidRequest("a number is larger than a double can be")
    return number
