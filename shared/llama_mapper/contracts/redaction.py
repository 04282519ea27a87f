"""Content given back with its personal data and secrets taken out, and tokens turned back into what they stand for."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, StringConstraints

from .identifiers import AnyCanonicalLabel
from .wire import Wire

RedactionOperator = Literal["mask", "hash", "token"]
"""mask: an asterisk a character. hash: a keyed hash, equal for equal values of a tenant. token: so too, reversible."""

MAX_REDACTED_CHARACTERS = 8_000_000
"""Above what the longest content can grow to: 25,000 values of one character, each a token of 240."""

RedactedContent = Annotated[str, StringConstraints(max_length=MAX_REDACTED_CHARACTERS)]


class Redaction(Wire):
    """The content of the request, redacted: an answer that carries content, because the caller asked for it."""

    operator: RedactionOperator
    content: RedactedContent
    replaced: NonNegativeInt = Field(description="How many stretches were replaced; overlapping findings are one")
    complete: bool = Field(
        description="False where a detector that ran or had to run did not answer, or a finding could not be located"
    )
    without_span: tuple[AnyCanonicalLabel, ...] = Field(
        default=(), description="Found somewhere in the content, which still holds it"
    )


class DetokenizeRequest(Wire):
    """POST /api/v1/detokenize: a text in which tokens stand, of this tenant or not."""

    content: Annotated[str, StringConstraints(min_length=1, max_length=MAX_REDACTED_CHARACTERS)]


class DetokenizeResponse(Wire):
    """The text with the tenant's tokens turned back; it carries content."""

    content: RedactedContent
    restored: NonNegativeInt
    unknown: NonNegativeInt = Field(description="Look like tokens, and are not this tenant's; left as they were")
