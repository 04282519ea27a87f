"""Letters that look or compare like others, and characters that cannot be seen: found, and taken back.

Sources: Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties), NFKC (UAX #15), the confusables of UTS #39 as
``confusable-homoglyphs`` carries them. Ordinary writing of any language is left alone: joiners in scripts that need
them, emoji, accents, typographic signs and words of one script do not make a text a disguised one.
"""

import json
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from .mapped_text import Edit, MappedText

_IGNORABLE = (
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Where nothing invisible belongs between two characters. Arabic, Indic and other scripts that join are not in it.
_PLAIN = "!-~\u00c0-\u024f\u0370-\u04ff\u1e00-\u1eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
# Forms whose NFKC is a plain letter or digit, and the two negative alphabets that NFKC leaves; not the small print
# that ordinary texts are full of (superscripts, circled numbers, the signs for trade marks and degrees).
_FORMS = (
    "\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\U0001d400-\U0001d7ff\u249c-\u24e9\U0001f110-\U0001f189"
    "\u2102\u210a-\u2115\u2119-\u211d\u2124\u2128\u212c-\u2131\u2133-\u2134"
)
_MARKS = "\u0300-\u036f"
INVISIBLE = re.compile(f"[{_IGNORABLE}]+")
_BETWEEN = re.compile(f"(?<=[{_PLAIN}])[{_IGNORABLE}]+(?=[{_PLAIN}])")
_UNUSUAL = re.compile(
    f"[\u202d\u202e]|[A-Za-z0-9{_FORMS}][{_FORMS}]|[{_FORMS}][A-Za-z0-9]|(?:[A-Za-z][{_MARKS}]{{1,8}}+){{3}}"
    rf"|(?:(?![0-9])\d[ .-]?){{6}}|[\U000e0020-\U000e007e]{{4}}|[{_FORMS}][ .]?[{_FORMS}]"
)
_WORD = re.compile(rf"[^\W\d_](?:[^\W\d_]|[{_IGNORABLE}])*")
_LETTERS = re.compile(r"[^\W\d_]")
_CHANGING = re.compile(f"[A-Za-z][{_MARKS}]+|[^\t-\r -~]")
_LONGEST_EXPANSION = 4
# A word separator between whole words joins nothing; between letters it splits a word.
_SEPARATED_WORDS, _WORD_LETTERS = 3, 3


def normalised(content: str, limit: int) -> MappedText | None:
    """Return *content* without its disguises, in at most *limit* code points, or None where it has none.

    Where compatibility forms would make it longer than *limit*, those that are longer than themselves stay.
    """
    if content.isascii() and not _BETWEEN.search(content):
        return None
    if not (_BETWEEN.search(content) or _UNUSUAL.search(content) or any(_mixed_words(content))):
        return None
    whole = MappedText.of(content)
    plain = whole.edited(_edits(content, _LONGEST_EXPANSION))
    if len(plain.text) > limit:
        plain = whole.edited(_edits(content, 1))
    return plain.edited(list(_unmixed(plain.text)))


def disguised_words(content: str) -> list[tuple[int, int]]:
    """Return the ranges of words cut by something invisible, or spelt with letters of two scripts.

    A soft hyphen is typography and is not one of them.
    """
    if content.isascii():
        return []
    cut = [
        (word.start(), word.end())
        for word in _WORD.finditer(content)
        if any(set(hidden.group()) != {"\u00ad"} for hidden in _BETWEEN.finditer(word.group()))
        and word.group()[0] <= "\u04ff"
    ]
    return sorted({*cut, *_mixed_words(content)})


@cache
def lookalikes() -> dict[str, str]:
    """Letter of another script -> the ASCII letter that it looks like."""
    table = json.loads((files("confusable_homoglyphs") / "confusables.json").read_text(encoding="utf-8"))
    found: dict[str, str] = {}
    for char, similar in table.items():
        letters = [one["c"] for one in similar if len(one["c"]) == 1 and one["c"].isascii() and one["c"].isalpha()]
        if letters and len(char) == 1 and char.isalpha() and not _latin(char):
            # The skeleton of a capital I of any script is a small l; a reader of the word takes it for an I.
            capital = letters[0] == "l" and char.isupper()
            found[char] = "I" if capital else letters[0]
    return found


def _latin(char: str) -> bool:
    """Latin as languages write it; its phonetic letters are nobody's alphabet."""
    return char < "\u0250" or "\u1e00" <= char <= "\u1eff"


@cache
def _folded(char: str) -> str:
    """What one character stands for in a reading without disguises."""
    if INVISIBLE.match(char):
        return ""
    if "\U0001f150" <= char <= "\U0001f169":
        return chr(ord("A") + ord(char) - 0x1F150)
    if "\U0001f170" <= char <= "\U0001f189":
        return chr(ord("A") + ord(char) - 0x1F170)
    if (digit := unicodedata.decimal(char, None)) is not None:
        return str(digit)
    category = unicodedata.category(char)
    if category in ("Pd", "Zs"):
        return "-" if category == "Pd" else " "
    return unicodedata.normalize("NFKC", char)


def _edits(text: str, longest: int) -> Iterator[Edit]:
    separated = _separators(text)
    for match in _CHANGING.finditer(text):
        old = match.group()
        if len(old) > 1:  # a letter and its marks: what exists as one character is a letter, the rest is scribble
            composed = unicodedata.normalize("NFC", old)
            new = composed if len(composed) == 1 else composed[0]
        else:
            new = " " if match.start() in separated else _folded(old)
        if new != old and len(new) <= max(longest, len(old)):
            yield match.start(), match.end(), new


def _separators(text: str) -> set[int]:
    """Where something invisible stands between whole words in place of blanks."""
    found: set[int] = set()
    if not _BETWEEN.search(text):
        return found
    for run in re.finditer(r"\S+", text):
        words = INVISIBLE.split(run.group())
        letters = sum(map(len, words))
        if len(words) >= _SEPARATED_WORDS and letters >= _WORD_LETTERS * len(words) and all(map(str.isalpha, words)):
            found.update(run.start() + one.start() for one in INVISIBLE.finditer(run.group()))
    return found


def _mixed_words(text: str) -> Iterator[tuple[int, int]]:
    """The words of ASCII letters and lookalikes of another script."""
    if text.isascii():
        return
    alike = lookalikes()
    for word in _WORD.finditer(text):
        spelt = word.group()
        if not spelt.isascii() and any(c.isascii() for c in spelt) and any(c in alike for c in spelt):
            yield word.start(), word.end()


def _unmixed(text: str) -> Iterator[Edit]:
    """Lookalikes become the letters they look like: in mixed words, and in whole words of an otherwise Latin text."""
    if text.isascii():
        return
    alike = lookalikes()
    letters = _LETTERS.findall(text)
    mostly_latin = sum(c.isascii() for c in letters) * 2 > len(letters)
    for word in _WORD.finditer(text):
        spelt = word.group()
        foreign = [c for c in spelt if not c.isascii()]
        whole = mostly_latin and all(c in alike for c in foreign)
        if foreign and (len(foreign) < len(spelt) or whole):
            yield from ((word.start() + i, word.start() + i + 1, alike[c]) for i, c in enumerate(spelt) if c in alike)
