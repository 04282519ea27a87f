"""Secrets that are sent as content, every shape in which a store could hold them, and where they are looked for."""

import base64
import hashlib
import html
import json
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis

WORD = "zq" + "canary7f3"
EMAIL = f"{WORD}@example.org"
AWS_KEY = "AKIA" + "ZQCANARY7F3QXK45"
SENTENCE = "The grey heron of cellar nineteen never sleeps on a Tuesday."
DETECTOR_KEY = "zqkey-" + "of-a-detector-4411"
IDEMPOTENCY_KEY = "zqorder-" + "of-a-person-2207"
CONTENT = f"Write to {EMAIL} now, with {AWS_KEY}. {SENTENCE}"
SECRETS = {
    "e-mail": WORD,
    "AWS key": AWS_KEY,
    "sentence": "heron of cellar nineteen",
    "detector's key": DETECTOR_KEY,
    "idempotency key": IDEMPOTENCY_KEY,
}
HASHED = {"e-mail": EMAIL, "AWS key": AWS_KEY, "content": CONTENT}
"""A hash without a key is as good as the value to who can guess it."""


def needles() -> dict[str, bytes]:
    """Every form of every secret by a name for it."""
    found: dict[str, bytes] = {}
    for name, secret in SECRETS.items():
        plain = secret.encode()
        forms = {
            "plain": plain,
            "upper": secret.upper().encode(),
            "UTF-16 LE": secret.encode("utf-16-le"),
            "UTF-16 BE": secret.encode("utf-16-be"),
            "hex": plain.hex().encode(),
            "HEX": plain.hex().upper().encode(),
            "URL": urllib.parse.quote(secret, safe="").encode(),
            "form": urllib.parse.quote_plus(secret).encode(),
            "every byte of a URL": "".join(f"%{byte:02X}" for byte in plain).encode(),
            "JSON escapes": "".join(f"\\u{ord(letter):04x}" for letter in secret).encode(),
            "HTML": html.escape(secret).encode(),
            "reversed": plain[::-1],
            **{f"base64 at {offset}": piece for offset, piece in _base64(plain)},
        }
        found |= {f"{name}, {form}": needle for form, needle in forms.items()}
    for name, value in HASHED.items():
        for algorithm in ("md5", "sha1", "sha256", "sha512"):
            digest = hashlib.new(algorithm, value.encode(), usedforsecurity=False)
            found[f"{name}, {algorithm}"] = digest.hexdigest().encode()
            found[f"{name}, {algorithm} in bytes"] = digest.digest()
    return found


def _base64(plain: bytes) -> Iterator[tuple[int, bytes]]:
    """*plain* in the middle of something that is in base64, at each of the three ways it can fall on the letters."""
    for offset in range(3):
        whole = base64.b64encode(b"x" * offset + plain)
        yield offset, whole[-(-offset * 8 // 6) : (offset + len(plain)) * 8 // 6]


@dataclass
class Search:
    """Looks through *places*, by name, for every form of every secret."""

    needles: Mapping[str, bytes] = field(default_factory=needles)
    places: dict[str, int] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)

    def through(self, place: str, data: bytes | str) -> None:
        held = data.encode() if isinstance(data, str) else data
        self.places[place] = len(held)
        self.found += [f"{place}: {name}" for name, needle in self.needles.items() if needle in held]

    def through_files(self, folder: Path) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                self.through(f"file {path.relative_to(folder)}", path.read_bytes())

    def through_redis(self, redis: "Redis", when: str) -> None:
        """Every key and value, read as what it is and as the store would dump it."""
        for name in list(redis.scan_iter()):
            kind: Any = redis.type(name)
            value = _READ.get(kind, lambda *_: None)(redis, name)
            self.through(f"Redis {when} {name!r}", repr(value).encode() + name + _bytes(value))
            self.through(f"Redis dump {when} {name!r}", redis.dump(name) or b"")


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set):
        return b"\n".join(_bytes(one) for one in value)
    return json.dumps(value, default=str).encode()


_READ: dict[bytes, Any] = {
    b"string": lambda redis, name: redis.get(name),
    b"hash": lambda redis, name: redis.hgetall(name),
    b"list": lambda redis, name: redis.lrange(name, 0, -1),
    b"set": lambda redis, name: redis.smembers(name),
    b"zset": lambda redis, name: redis.zrange(name, 0, -1, withscores=True),
    b"stream": lambda redis, name: redis.xrange(name),
}
