"""Text inside text: runs that decode to something readable, with the place of each run.

Base64 (also URL-safe, wrapped), base32, hexadecimal, percent-encoding, escapes of programming languages and of HTML,
tag characters, bytes in variation selectors, and reversed runs behind a bidirectional override. What was decoded is
looked at once more. Compressed or enciphered content is not opened.
"""

import base64
import binascii
import html
import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote_to_bytes

from .mapped_text import MappedText

Piece = tuple[str, int, int]
"""A decoded text, and the range of the source that held it."""
DEPTH = 2
_SHORTEST = 6
_LONGER_THAN_NUMBERS = 40
_PRINTABLE, _WORDLIKE = 0.95, 0.6
_ALL = 0.9

_ALPHABET = "A-Za-z0-9+/_-"
_BLOCK = rf"(?<![{_ALPHABET}])[{_ALPHABET}]{{16,}}+(?:\r?\n[{_ALPHABET}]{{16,}}+){{0,63}}+"
_ESCAPE = r"(?:\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2})"
_ENTITY = r"&#(?:[0-9]{2,7}|x[0-9A-Fa-f]{2,6});"
_UNRESERVED = "[A-Za-z0-9._~+-]{0,64}+"


def _base64(text: str) -> bytes:
    packed = "".join(text.split()).rstrip("=").translate(str.maketrans("-_", "+/"))
    packed = packed[: len(packed) - (len(packed) % 4 == 1)]
    return base64.b64decode(packed + "=" * (-len(packed) % 4))


def _base32(text: str) -> bytes:
    packed = text.rstrip("=")
    return base64.b32decode(packed + "=" * (-len(packed) % 8))


def _hexadecimal(text: str) -> bytes:
    """
    Raises:
        ValueError: it reads like a number (of a card, of a telephone).
    """
    digits = re.sub("[^0-9A-Fa-f]", "", text)
    if digits.isdecimal() and len(digits) < _LONGER_THAN_NUMBERS:
        raise ValueError("a number")
    return bytes.fromhex(digits[: len(digits) // 2 * 2])


def _escapes(text: str) -> bytes:
    return re.sub(r"\\[ux]([0-9A-Fa-f]+)", lambda found: chr(int(found[1], 16)), text).encode("utf-8")


def _selectors(text: str) -> bytes:
    """Bytes 0 to 15 are VARIATION SELECTOR-1 to -16, the others those of the supplement."""
    return bytes(ord(c) - 0xFE00 if c <= "\ufe0f" else ord(c) - 0xE0100 + 16 for c in text)


# Each pattern reads a run once: what begins it is fixed or taken possessively, so nothing is searched twice.
_VISIBLE: tuple[tuple[re.Pattern[str], Callable[[str], bytes]], ...] = (
    (re.compile(rf"%[0-9A-Fa-f]{{2}}(?:{_UNRESERVED}%[0-9A-Fa-f]{{2}}){{2,}}+{_UNRESERVED}"), unquote_to_bytes),
    (re.compile(rf"{_ESCAPE}(?:[A-Za-z0-9 ]?{_ESCAPE}){{3,}}+"), _escapes),
    (re.compile(rf"{_ENTITY}(?:[A-Za-z0-9 ]?{_ENTITY}){{3,}}+"), lambda text: html.unescape(text).encode()),
    (re.compile(r"(?:[0-9A-Fa-f]{2}[ :]?){8,}+"), _hexadecimal),
    (re.compile(r"[A-Z2-7]{16,}+={0,6}+"), _base32),
    # A wrapped block with its last, shorter line; without it, where that is a word of the text; line by line.
    (re.compile(rf"{_BLOCK}\r?\n[{_ALPHABET}]{{2,}}+={{0,2}}"), _base64),
    (re.compile(rf"{_BLOCK}={{0,2}}"), _base64),
    (re.compile(rf"[{_ALPHABET}]{{16,}}+={{0,2}}"), _base64),
)
_TAGS = re.compile("[\U000e0020-\U000e007e]{4,}")
_FLAG = "\U0001f3f4"
_SELECTED = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")
_REVERSED = re.compile("\u202e([^\u202c\u2029\r\n]{4,})")


def decoded(text: MappedText, depth: int = DEPTH) -> list[Piece]:
    """Return what the visible runs of *text* decode to, and what is inside of that, *depth* times."""
    found: list[Piece] = []
    taken = bytearray(len(text.text))
    for pattern, decode in _VISIBLE:
        for run in pattern.finditer(text.text):
            start, end = run.span()
            if not any(taken[start:end]) and (plain := _read(decode, run.group())):
                taken[start:end] = b"\x01" * (end - start)
                found += _opened(plain, *text.origin(start, end), depth)
    return sorted(found, key=lambda piece: piece[1:])


def hidden(content: str, depth: int = DEPTH) -> list[Piece]:
    """Return what stands in characters that nobody sees; the tags in flags of England, Scotland, Wales do not count."""
    found: list[Piece] = []
    for run in _TAGS.finditer(content):
        if content[run.start() - 1 : run.start()] != _FLAG or len(run.group()) > len("gbeng"):
            found += _opened("".join(chr(ord(c) - 0xE0000) for c in run.group()), run.start(), run.end(), depth)
    for run in _SELECTED.finditer(content):
        if plain := _read(_selectors, run.group(), shortest=4):
            found += _opened(plain, run.start(), run.end(), depth)
    return found


def overridden(content: str, depth: int = DEPTH) -> list[Piece]:
    """Return what a reader sees of runs that are shown in reverse."""
    found: list[Piece] = []
    for run in _REVERSED.finditer(content):
        found += _opened(run[1][::-1], run.start(), run.end(), depth)
    return found


def _opened(plain: str, start: int, end: int, depth: int) -> Iterator[Piece]:
    """*plain*, unless all of it is encoded once more, and what is inside; each stands for the run that held it."""
    inside = decoded(MappedText.of(plain), depth - 1) if depth > 1 else []
    if sum(last - first for first, last in {piece[1:] for piece in inside}) < len(plain) * _ALL:
        yield plain, start, end
    for inner, _, _ in inside:
        yield inner, start, end


def _read(decode: Callable[[str], bytes], run: str, shortest: int = _SHORTEST) -> str | None:
    try:
        plain = decode(run).decode("utf-8")
    except (ValueError, binascii.Error):
        return None
    readable = sum(c.isprintable() or c.isspace() for c in plain)
    wordlike = sum(c.isalnum() or c == " " for c in plain)
    if len(plain) < shortest or readable < len(plain) * _PRINTABLE or wordlike < len(plain) * _WORDLIKE:
        return None
    return plain
