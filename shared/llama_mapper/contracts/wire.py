"""The two model classes every contract derives from, and the constrained text types they are built of.

Content can be carried by the type ``Content`` alone. Every other text type is too narrow to hold a document, and the
vendor's own words (labels, descriptions) refuse what looks like a value rather than a name.
"""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints


class Wire(BaseModel):
    """A request, an answer or a part of one: immutable, unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Consumed(BaseModel):
    """An event's data: immutable, unknown fields are ignored, so that a contract can grow under older readers."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


MAX_CONTENT_CHARACTERS = 50_000

Content = Annotated[str, StringConstraints(min_length=1, max_length=MAX_CONTENT_CHARACTERS)]
"""Raw text to be judged. What carries it is listed in docs/decisions/0015."""

Token = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/+-]{0,127}$")]
"""A technical word: version, route, model or policy name."""

Prose = Annotated[str, StringConstraints(min_length=1, max_length=600)]
"""A sentence of our own data files (rationale, definition). Never in an event, never from a caller."""


def _number(value: Any) -> Any:
    if isinstance(value, bool | str):
        raise ValueError("must be a number")
    return value


Number = BeforeValidator(_number)
"""Refuses what pydantic alone would make a number of, and our OpenAPI documents do not allow: true, "1"."""

Confidence = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False), Number]
Severity = Annotated[int, Field(ge=0, le=4), Number]
Milliseconds = Annotated[float, Field(ge=0.0, allow_inf_nan=False), Number]
Microdollars = Annotated[float, Field(ge=0.0, allow_inf_nan=False), Number]
"""Millionths of a dollar: one answer of a small model costs a few of them."""

# What a label never holds but a leaked value does: an address, a long number, a key-like run, a paragraph.
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_LONG_NUMBER = re.compile(r"(?:\d[ .-]?){9,}")
_KEY_LIKE = re.compile(r"(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{20,}")
_ACCESS_KEY_LIKE = re.compile(r"(?=[A-Z0-9]*\d)(?=\d*[A-Z])[A-Z0-9]{16,}|eyJ[A-Za-z0-9_-]{16,}")  # AWS ids, JWTs
_MAX_WORDS = 48


def name_not_value(text: str) -> str:
    """Return *text* if it reads like a name or a short description.

    Raises:
        ValueError: it holds an e-mail address, nine or more digits, a key-like run or more than 48 words.
    """
    key_like = _ACCESS_KEY_LIKE.search(text) or any(
        sum(c.isdigit() for c in run) >= 4 for run in _KEY_LIKE.findall(text)
    )
    if key_like or _EMAIL.search(text) or _LONG_NUMBER.search(text) or len(text.split()) > _MAX_WORDS:
        raise ValueError("looks like content or a personal value, not like a name")
    return text


_ONE_LINE = r"^[^\x00-\x1f\x7f\u2028\u2029]+$"

VendorLabel = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=_ONE_LINE, strip_whitespace=True),
    AfterValidator(name_not_value),
]
"""A detector's own word for what it found, as it says it."""

VendorDescription = Annotated[
    str,
    StringConstraints(min_length=1, max_length=300, pattern=_ONE_LINE, strip_whitespace=True),
    AfterValidator(name_not_value),
]
"""What the vendor's documentation says a label means: one line about the label, never about the content."""

Question = Annotated[
    str,
    StringConstraints(min_length=3, max_length=300, pattern=_ONE_LINE, strip_whitespace=True),
    AfterValidator(name_not_value),
]
"""A question about rules, never about a person: one line, and no value in it."""

VendorSeverity = (
    Annotated[float, Field(ge=-1000, le=1000, allow_inf_nan=False), Number]
    | Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,31}$")]
)
"""The vendor's own grade, a number or a word on its scale."""
