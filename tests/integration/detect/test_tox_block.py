import pytest

from functions.detect.detectors.tox_block import LABELS, ToxBlockDetector
from llama_mapper.contracts.detection import Detector

from .conftest import Found

DETECTOR = "tox-block"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("You are a stupid idiot.", "insult"),
        ("What a load of shit.", "obscene"),
        ("I will kill you.", "threat"),
        ("You are a stupid idiot.", "toxic"),
    ],
)
def test_plain_toxicity_is_found(found: Found, text: str, label: str) -> None:
    assert (label, None) in found(text)


@pytest.mark.parametrize(
    "text",
    ["Thank you for your help with the garden.", "The meeting is at ten, please bring the report.", "12345", "ñandú"],
)
def test_plain_talk_is_not(found: Found, text: str) -> None:
    assert found(text) == []


def test_an_insult_behind_pages_of_plain_talk_is_found_where_it_is(found: Found) -> None:
    text = "Thank you for your help with the garden. " * 60 + "You are a stupid idiot."
    pieces = [piece for label, piece in found(text) if label == "insult"]
    assert pieces
    assert pieces[0] is not None
    assert "stupid idiot" in pieces[0]


def test_scores_are_there_for_every_label_below_the_threshold_too(detector: Detector) -> None:
    assert isinstance(detector, ToxBlockDetector)
    scores = detector.scores("Thank you.")
    assert tuple(scores) == LABELS
    assert all(0 <= score < 0.5 for score in scores.values())


def test_the_kept_vocabulary_gives_the_same_scores(detector: Detector) -> None:
    assert isinstance(detector, ToxBlockDetector)
    again = ToxBlockDetector(0.5, detector._cache)
    again.load()
    assert again.scores("You are a stupid idiot.") == detector.scores("You are a stupid idiot.")
