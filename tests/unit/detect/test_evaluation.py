import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.detect.evaluation import area_under_curve, evaluate
from llama_mapper.contracts.detection import Detection, Span
from tests.fakes.detectors import SayingDetector

FLOATS = st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), min_size=1, max_size=20)


class Toxic(SayingDetector):
    """Scores a text by its share of the letter x."""

    def __init__(self) -> None:
        super().__init__("toxic", lambda text: [Detection(label="toxic", score=1)] if "xx" in text else [])
        self.family = "classifiers"

    def scores(self, text: str) -> Mapping[str, float]:
        return {"toxic": text.count("x") / max(1, len(text)), "other": 0.0}


def write(path: Path, *rows: object) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize(
    ("start", "end", "label", "found"),
    [
        (0, 10, "EMAIL", 1),
        (0, 5, "EMAIL_ADDRESS", 1),
        (0, 4, "EMAIL", 0),
        (5, 14, "EMAIL", 1),
        (6, 14, "EMAIL", 0),
        (0, 10, "PHONE", 0),
    ],
)
def test_half_a_span_and_a_fitting_label_count_as_found(
    tmp_path: Path, start: int, end: int, label: str, found: int
) -> None:
    write(
        tmp_path / "pii_sentences.jsonl",
        {"text": "a@b.co.uk. hello", "spans": [{"type": "EMAIL_ADDRESS", "start": 0, "end": 10}]},
    )
    detector = SayingDetector("d", lambda t: [Detection(label=label, score=1, span=Span(start=start, end=end))])
    (recall,) = evaluate([detector], tmp_path).recall
    assert (recall.entity, recall.found, recall.gold) == ("EMAIL_ADDRESS", found, 1)


def test_any_harm_is_ranked_against_none_and_a_missing_key_is_no_harm(tmp_path: Path) -> None:
    write(tmp_path / "moderation_eval.jsonl", {"prompt": "xx a", "H": 1}, {"prompt": "a", "S": 0}, {"prompt": "x a"})
    (auc,) = evaluate([Toxic()], tmp_path).auc
    assert (auc.harmful, auc.harmless, auc.auc) == (1, 2, 1.0)


def test_benign_texts_with_a_finding_are_counted_by_label_and_for_any(tmp_path: Path) -> None:
    write(tmp_path / "emails.jsonl", {"text": "xx"}, {"text": "plain"})
    rates = evaluate([Toxic()], tmp_path).false_positives
    assert [(r.label, r.flagged, r.texts) for r in rates] == [("any", 1, 2), ("toxic", 1, 2)]


def test_progress_is_told_for_every_row(tmp_path: Path) -> None:
    write(tmp_path / "emails.jsonl", {"text": "xx"}, {"text": "plain"})
    told: list[tuple[str, int, int]] = []
    evaluate([Toxic()], tmp_path, lambda *step: told.append(step))
    assert told == [("toxic emails", 1, 2), ("toxic emails", 2, 2)]


def test_the_table_shows_every_measure_and_no_text(tmp_path: Path) -> None:
    write(tmp_path / "emails.jsonl", {"text": "canary xx"})
    write(tmp_path / "moderation_eval.jsonl", {"prompt": "canary xx", "H": 1}, {"prompt": "canary", "H": 0})
    table = evaluate([Toxic()], tmp_path).table()
    assert "AUC" in table
    assert "emails" in table
    assert "canary" not in table


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no evaluation file"):
        evaluate([Toxic()], tmp_path)


@pytest.mark.parametrize(
    ("positive", "negative", "area"),
    [([0.9], [0.1], 1.0), ([0.1], [0.9], 0.0), ([0.5], [0.5], 0.5), ([0.9, 0.1], [0.5], 0.5), ([1, 1], [1, 0], 0.75)],
)
def test_area_under_the_curve(positive: list[float], negative: list[float], area: float) -> None:
    assert area_under_curve(positive, negative) == area


@given(FLOATS, FLOATS)
def test_the_area_is_the_share_of_pairs_in_order(positive: list[float], negative: list[float]) -> None:
    pairs = [1.0 if p > n else 0.5 if p == n else 0.0 for p in positive for n in negative]
    assert area_under_curve(positive, negative) == pytest.approx(sum(pairs) / len(pairs))


def test_the_area_needs_both_classes() -> None:
    with pytest.raises(ValueError, match="both classes"):
        area_under_curve([], [1.0])
