"""Requests that nobody honest sends, as they go over the wire, and what the front door says to each.

``error_code`` is None where the server (its HTTP parser, or for TRACE its router) answers before any of our code sees
the request: one line of plain text, the same whatever was sent.
"""

import gzip
import json
import zlib
from dataclasses import dataclass

PATH = "/api/v1/orchestrate"
CANARY = "canary-5521"
LIMIT = 1_048_576


@dataclass(frozen=True)
class BadInput:
    name: str
    sent: bytes
    status: int
    error_code: str | None = "INVALID_REQUEST"


def request(
    body: bytes | str = "{}", *headers: str, path: str = PATH, method: str = "POST", length: int | None = None
) -> bytes:
    """One request; *headers* are whole lines, and a Content-Type and a Content-Length come with it unless named."""
    sent = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    names = {line.split(":")[0].strip().lower() for line in headers}
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "X-Tenant-ID: demo", "Connection: close", *headers]
    if "content-type" not in names:
        lines.append("Content-Type: application/json")
    if not names & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(sent) if length is None else length}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + sent


def content(**more: object) -> str:
    return json.dumps({"content": CANARY, **more})


def chunked(*lines: bytes) -> bytes:
    return request(b"".join(lines), "Transfer-Encoding: chunked")


GOOD = content()
BOMB = gzip.compress(b'{"content": "' + b"a" * 50_000_000 + b'"}')
LARGE, PARSER, PACKED = "CONTENT_TOO_LARGE", None, "UNSUPPORTED_MEDIA_TYPE"

TABLE: tuple[BadInput, ...] = (
    BadInput("empty body", request(""), 400),
    BadInput("blank body", request(" \r\n "), 400),
    BadInput("not JSON", request(CANARY), 400),
    BadInput("JSON cut short", request('{"content": "' + CANARY), 400),
    BadInput("two JSON values", request(GOOD + GOOD), 400),
    BadInput("single quotes", request("{'content': 'canary-5521'}"), 400),
    BadInput("a list for an object", request("[]"), 400),
    BadInput("a string for an object", request(f'"{CANARY}"'), 400),
    BadInput("null", request("null"), 400),
    BadInput("byte order mark", request(b"\xef\xbb\xbf" + GOOD.encode()), 400),
    BadInput("not UTF-8", request(b'{"content": "canary-5521 \xff"}'), 400),
    BadInput("overlong UTF-8", request(b'{"content": "canary-5521 \xc0\xaf"}'), 400),
    BadInput("UTF-16 body", request(GOOD.encode("utf-16")), 400),
    BadInput("surrogates as bytes", request('{"content": "canary-5521 \ud800"}'), 400),
    BadInput("lone surrogate escaped", request('{"content": "canary-5521 \\ud800"}'), 400),
    BadInput("duplicate key", request('{"content": "safe", "content": "canary-5521"}'), 400),
    BadInput("duplicate key, escaped", request('{"content": "safe", "c\\u006fntent": "canary-5521"}'), 400),
    BadInput("unknown field", request(content(**{CANARY: 1})), 400),
    BadInput("prototype field", request(content(__proto__={"admin": True})), 400),
    BadInput("number for content", request('{"content": 5521}'), 400),
    BadInput("empty content", request('{"content": ""}'), 400),
    BadInput("content of 50,001 characters", request(json.dumps({"content": "a" * 50_001})), 413, LARGE),
    BadInput("NaN", request('{"content": "canary-5521", "metadata": {"a": NaN}}'), 400),
    BadInput("Infinity", request('{"content": "canary-5521", "metadata": {"a": -Infinity}}'), 400),
    BadInput("number beyond a double", request('{"content": "canary-5521", "priority": 1e999}'), 400),
    BadInput("number of 5,000 digits", request('{"content": ' + "9" * 5000 + "}"), 400),
    BadInput("nested 33 deep", request("[" * 33 + "]" * 33), 400),
    BadInput("nested 500,000 deep", request("[" * 500_000), 400),
    BadInput("20,001 fields", request(json.dumps({str(n): 0 for n in range(20_001)})), 400),
    BadInput("17 metadata fields", request(content(metadata={f"k{n}": "v" for n in range(17)})), 400),
    BadInput("control characters in metadata", request(content(metadata={"a": "x\r\nSet-Cookie: b"})), 400),
    BadInput("null byte in a name", request(content(detector_types=["pii\x00"])), 400),
    BadInput("path in a detector's name", request(content(detector_types=["../../etc/passwd"])), 400),
    BadInput("SQL in a detector's name", request(content(detector_types=["x' OR 1=1--"])), 400),
    BadInput("body over the limit", request(b"a" * (LIMIT + 1)), 413, LARGE),
    BadInput("length over the limit, no body", request(b"", length=LIMIT + 1), 413, LARGE),
    BadInput("gzip bomb", request(BOMB, "Content-Encoding: gzip"), 415, PACKED),
    BadInput("deflate", request(zlib.compress(GOOD.encode()), "Content-Encoding: deflate"), 415, PACKED),
    BadInput("brotli", request(b"\x0b\x02\x80", "Content-Encoding: br"), 415, PACKED),
    BadInput("zstandard", request(b"\x28\xb5\x2f\xfd", "Content-Encoding: zstd"), 415, PACKED),
    BadInput("packed twice", request(BOMB, "Content-Encoding: gzip, gzip"), 415, PACKED),
    BadInput("gzip that does not say so", request(gzip.compress(GOOD.encode())), 400),
    BadInput("charset UTF-16", request(GOOD, "Content-Type: application/json; charset=utf-16"), 415, PACKED),
    BadInput("charset UTF-7", request(GOOD, 'Content-Type: application/json; charset="utf-7"'), 415, PACKED),
    BadInput(
        "two charsets", request(GOOD, "Content-Type: application/json; charset=utf-8; charset=utf-16"), 415, PACKED
    ),
    BadInput("plain text", request(GOOD, "Content-Type: text/plain"), 400),
    BadInput("form", request(f"content={CANARY}", "Content-Type: application/x-www-form-urlencoded"), 400),
    BadInput("XML", request("<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>", "Content-Type: text/xml"), 400),
    BadInput("multipart", request("--b\r\n\r\ncanary-5521", "Content-Type: multipart/form-data; boundary=b"), 400),
    BadInput("two content types", request(GOOD, "Content-Type: text/plain", "Content-Type: application/json"), 400),
    BadInput("101 headers", request(GOOD, *(f"X-{n}: a" for n in range(101))), 431, "HEADERS_TOO_LARGE"),
    BadInput("headers of 40 KiB", request(GOOD, f"X-Long: {'a' * 40_000}"), 431, "HEADERS_TOO_LARGE"),
    BadInput("two hosts", request(GOOD, "Host: canary-5521.example"), 400),
    BadInput(
        "length and chunks", request(GOOD, f"Content-Length: {len(GOOD)}", "Transfer-Encoding: chunked"), 400, None
    ),
    BadInput("two lengths", request(GOOD, "Content-Length: 2", f"Content-Length: {len(GOOD)}"), 400, PARSER),
    BadInput("negative length", request(GOOD, "Content-Length: -1"), 400, PARSER),
    BadInput("length with a sign", request(GOOD, "Content-Length: +5"), 400, PARSER),
    BadInput("chunk size no number", chunked(b"zz\r\n", GOOD.encode(), b"\r\n0\r\n\r\n"), 400, PARSER),
    BadInput("chunk size overflow", chunked(b"fffffffffffffffff\r\n", b"a"), 400, PARSER),
    BadInput(
        "chunked, and over the limit", chunked(*[b"10000\r\n" + b"a" * 65_536 + b"\r\n"] * 17, b"0\r\n\r\n"), 413, LARGE
    ),
    BadInput("blank before a colon", request(GOOD, "X-A : b"), 400, PARSER),
    BadInput("null byte in a header", request(GOOD, "X-A: b\x00c"), 400, PARSER),
    BadInput("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 " + CANARY.encode() + b"\r\n\r\n", 400, PARSER),
    BadInput("blank in the path", request(GOOD, path="/api/v1/orche strate"), 400, PARSER),
    BadInput("dots in the path", request(GOOD, path="/api/v1/../v1/orchestrate"), 404, "NOT_FOUND"),
    BadInput("encoded dots in the path", request(GOOD, path="/api/v1/%2e%2e/%2e%2e/etc/passwd"), 404, "NOT_FOUND"),
    BadInput("null byte in the path", request(GOOD, path="/api/v1/orchestrate%00.json"), 404, "NOT_FOUND"),
    BadInput("parameter in the path", request(GOOD, path="/api/v1/orchestrate;a=b"), 404, "NOT_FOUND"),
    BadInput("double slash", request(GOOD, path="//api/v1/orchestrate"), 404, "NOT_FOUND"),
    BadInput("trailing slash", request(GOOD, path="/api/v1/orchestrate/"), 404, "NOT_FOUND"),
    BadInput("backslash", request(GOOD, path="/api\\v1\\orchestrate"), 404, "NOT_FOUND"),
    BadInput("TRACE", request("", method="TRACE"), 405, PARSER),
    BadInput("GET where POST is meant", request("", method="GET"), 405, "METHOD_NOT_ALLOWED"),
    BadInput(
        "GET that calls itself POST",
        request(GOOD, "X-HTTP-Method-Override: POST", "X-Method-Override: POST", method="GET"),
        405,
        "METHOD_NOT_ALLOWED",
    ),
    BadInput("path in another header", request(GOOD, f"X-Original-URL: {PATH}", path="/nothing"), 404, "NOT_FOUND"),
    BadInput("a method that is none", request(GOOD, method="CANARY"), 400, PARSER),
)
