from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from llama_mapper.contracts.wire import Confidence, Token, VendorDescription, VendorLabel, name_not_value
from mapper_serving.vocabulary import read_all

VOCABULARIES = Path(__file__).parents[3] / "inference-services" / "mapper" / "vocabularies"
LABEL: TypeAdapter[str] = TypeAdapter(VendorLabel)
DESCRIPTION: TypeAdapter[str] = TypeAdapter(VendorDescription)
TOKEN: TypeAdapter[str] = TypeAdapter(Token)
CONFIDENCE: TypeAdapter[float] = TypeAdapter(Confidence)


def curated() -> Iterator[tuple[str, str | None]]:
    for vocabulary in read_all(VOCABULARIES):
        yield from ((word, rule.description) for word, rule in vocabulary.labels.items())
        yield from ((word, None) for word in vocabulary.unmapped)


@pytest.mark.parametrize(
    "label",
    [
        "HARM_CATEGORY_HATE_SPEECH",
        "controversial_topics,politics",
        "Criminal Planning/Confessions",
        "S5",
        "LABEL_0",
        "US_ITIN",
        "hate/threatening",
        "Auth0ManagementApiToken",
        "SalesforceOauth2",
        "Person 12345678",  # eight digits are no card, phone or account yet
        "@mention",
        "user@host",  # no domain: a kind of thing, not an address
        "Menschen würdigende Sprache",
        "AWS_ACCESS_KEY_ID_2024",
        "A" * 200,
    ],
)
def test_a_name_passes(label: str) -> None:
    assert LABEL.validate_python(label) == label


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("ada@example.org", id="e-mail"),
        pytest.param("contact ada.lovelace@mail.example.org now", id="e-mail in a phrase"),
        pytest.param("4111 1111 1111 1111", id="card"),
        pytest.param("4111-1111-1111-1111", id="card with hyphens"),
        pytest.param("078-05-1120", id="social security number"),
        pytest.param("+49 171 5550142", id="phone"),
        pytest.param("AKIAIOSFODNN7EXAMPLE", id="AWS access key id"),
        pytest.param("wJa1rXUtnFEMI2K7MDENG3bPxRfi9CYEX", id="secret key"),
        pytest.param("eyJhbGciOiJIUzI1NiJ9.e30.abc", id="JWT"),
        pytest.param("8f14e45fceea167a5a36dedd4bea2543", id="hash"),
        pytest.param(" ".join(["a"] * 60), id="60 words"),
    ],
)
def test_a_value_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="looks like content or a personal value"):
        name_not_value(value)
    with pytest.raises(ValidationError):
        LABEL.validate_python(value)


@pytest.mark.parametrize(
    "text",
    ["", "   ", "two\nlines", "tab\there", "nul\0", "line\u2028separator", "A" * 201],
    ids=["empty", "blank", "newline", "tab", "nul", "line separator", "long"],
)
def test_a_label_is_one_short_line(text: str) -> None:
    with pytest.raises(ValidationError):
        LABEL.validate_python(text)


def test_every_curated_label_and_description_passes() -> None:
    refused = []
    seen = 0
    for label, description in curated():
        seen += 1
        for adapter, text in ((LABEL, label), (DESCRIPTION, description or "none")):
            try:
                adapter.validate_python(text)
            except ValidationError:
                refused.append(text)
    assert (refused, seen > 3000) == ([], True)


@pytest.mark.parametrize("text", ["1.2.3", "presidio:any", "a/b+c-d_e", "x" * 128])
def test_a_technical_word_is_a_token(text: str) -> None:
    assert TOKEN.validate_python(text) == text


@pytest.mark.parametrize("text", ["", "-x", "two words", "ä", "a\n", "x" * 129, "a@b"])
def test_anything_else_is_no_token(text: str) -> None:
    with pytest.raises(ValidationError):
        TOKEN.validate_python(text)


@pytest.mark.parametrize("number", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_confidence_is_between_nought_and_one(number: float) -> None:
    with pytest.raises(ValidationError):
        CONFIDENCE.validate_python(number)


@pytest.mark.parametrize("value", [True, False, "0.5", ""])
def test_a_truth_value_and_a_text_are_no_number(value: bool | str) -> None:
    with pytest.raises(ValidationError):
        CONFIDENCE.validate_python(value)
