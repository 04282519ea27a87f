"""Measure detectors on labelled texts: recall per kind of personal data, AUC on harm, false positives on benign text.

Reads four files of *data_dir*, each JSON lines, and skips what is absent: ``pii_sentences.jsonl`` {text, spans},
``moderation_eval.jsonl`` {prompt, S, H, V, HR, SH, S3, H2, V2}, ``benign_security_questions.jsonl`` and
``emails.jsonl`` {text}. The report holds counts and rates, no text.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from llama_mapper.contracts.detection import Detection, Detector

from .service import judge
from .windows import split

Progress = Callable[[str, int, int], None]
"""Called with what is measured, the rows done and the rows there are."""

# Gold type -> the labels of any detector that say the same or a kind of it.
GOLD_LABELS: Mapping[str, frozenset[str]] = {
    "PERSON": frozenset({"PERSON"}),
    "STREET_ADDRESS": frozenset({"STREET_ADDRESS", "LOCATION"}),
    "GPE": frozenset({"LOCATION", "NRP"}),
    "ORGANIZATION": frozenset({"ORGANIZATION"}),
    "CREDIT_CARD": frozenset({"CREDIT_CARD"}),
    "DATE_TIME": frozenset({"DATE_TIME", "DATE_OF_BIRTH"}),
    "TITLE": frozenset({"TITLE"}),
    "PHONE_NUMBER": frozenset({"PHONE_NUMBER", "PHONE"}),
    "AGE": frozenset({"AGE", "DATE_TIME"}),
    "NRP": frozenset({"NRP", "LOCATION"}),
    "EMAIL_ADDRESS": frozenset({"EMAIL_ADDRESS", "EMAIL"}),
    "ZIP_CODE": frozenset({"ZIP_CODE", "US_ZIP_CODE"}),
    "DOMAIN_NAME": frozenset({"URL", "DOMAIN_NAME"}),
    "IBAN_CODE": frozenset({"IBAN_CODE", "IBAN"}),
    "US_SSN": frozenset({"US_SSN"}),
    "IP_ADDRESS": frozenset({"IP_ADDRESS", "IPV4", "IPV6"}),
    "US_DRIVER_LICENSE": frozenset({"US_DRIVER_LICENSE"}),
}
MIN_OVERLAP = 0.5

_HARMS = ("S", "H", "V", "HR", "SH", "S3", "H2", "V2")


@runtime_checkable
class Scored(Protocol):
    """A detector that can also tell scores below its threshold; AUC needs them."""

    def scores(self, text: str) -> Mapping[str, float]: ...


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Recall(_Figures):
    detector: str
    entity: str
    found: int
    gold: int

    @property
    def rate(self) -> float:
        return self.found / self.gold


class Auc(_Figures):
    detector: str
    harmful: int
    harmless: int
    auc: float


class FalsePositives(_Figures):
    """Texts of *data* with a finding of *label*; ``any`` stands for all labels together."""

    detector: str
    data: str
    label: str
    flagged: int
    texts: int

    @property
    def rate(self) -> float:
        return self.flagged / self.texts


class Report(_Figures):
    versions: dict[str, str]
    recall: tuple[Recall, ...] = ()
    auc: tuple[Auc, ...] = ()
    false_positives: tuple[FalsePositives, ...] = ()

    def table(self) -> str:
        """Render as plain text, one block a measure."""
        return "\n\n".join(filter(None, [self._recall_table(), self._auc_table(), self._false_positive_table()]))

    def _recall_table(self) -> str:
        if not self.recall:
            return ""
        names = list(dict.fromkeys(r.detector for r in self.recall))
        cells = {(r.entity, r.detector): f"{r.rate:.2f}" for r in self.recall}
        gold = {r.entity: r.gold for r in self.recall}
        rows = [
            [entity, str(count), *(cells.get((entity, name), "-") for name in names)]
            for entity, count in sorted(gold.items(), key=lambda item: -item[1])
        ]
        return _table("Recall per entity (half of the span, fitting label)", ["entity", "gold", *names], rows)

    def _auc_table(self) -> str:
        rows = [[a.detector, str(a.harmful), str(a.harmless), f"{a.auc:.3f}"] for a in self.auc]
        return _table("AUC, any harm against none", ["detector", "harmful", "harmless", "AUC"], rows) if rows else ""

    def _false_positive_table(self) -> str:
        rows = [[f.detector, f.data, f.label, f"{f.flagged}/{f.texts}", f"{f.rate:.3f}"] for f in self.false_positives]
        return (
            _table("Benign texts with a finding", ["detector", "data", "label", "flagged", "rate"], rows)
            if rows
            else ""
        )


def evaluate(detectors: Sequence[Detector], data_dir: Path, progress: Progress = lambda *_: None) -> Report:
    """Load each detector and measure it where it can be: personal data, harm, and benign texts.

    Raises:
        FileNotFoundError: *data_dir* has none of the files.
    """
    pii = _rows(data_dir / "pii_sentences.jsonl")
    moderation = _rows(data_dir / "moderation_eval.jsonl")
    benign = {
        name: [str(row["text"]) for row in _rows(data_dir / f"{name}.jsonl")]
        for name in ("benign_security_questions", "emails")
    }
    if not (pii or moderation or any(benign.values())):
        raise FileNotFoundError("no evaluation file in the data folder")
    recall: list[Recall] = []
    auc: list[Auc] = []
    false_positives: list[FalsePositives] = []
    for detector in detectors:
        detector.load()
        if detector.family == "pii":
            recall += measure_recall(detector, pii, progress)
        if detector.family == "classifiers" and isinstance(detector, Scored) and moderation:
            auc.append(measure_auc(detector, detector, moderation, progress))
        for name, texts in benign.items():
            false_positives += measure_false_positives(detector, name, texts, progress)
    return Report(
        versions={d.name: d.version for d in detectors},
        recall=tuple(recall),
        auc=tuple(auc),
        false_positives=tuple(false_positives),
    )


def measure_recall(detector: Detector, rows: Sequence[Mapping[str, object]], progress: Progress) -> list[Recall]:
    """Count the gold spans of which a detection with a fitting label covers at least half."""
    found: Counter[str] = Counter()
    gold: Counter[str] = Counter()
    for done, row in enumerate(rows, 1):
        detections = _judge(detector, str(row["text"]))
        spans = row["spans"]
        for span in spans if isinstance(spans, list) else []:
            gold[span["type"]] += 1
            found[span["type"]] += _is_found(span["type"], span["start"], span["end"], detections)
        progress(f"{detector.name} pii_sentences", done, len(rows))
    return [Recall(detector=detector.name, entity=e, found=found[e], gold=n) for e, n in gold.items()]


def _is_found(entity: str, start: int, end: int, detections: Iterable[Detection]) -> bool:
    labels = GOLD_LABELS.get(entity, frozenset({entity}))
    return any(
        d.label in labels and d.span and min(end, d.span.end) - max(start, d.span.start) >= MIN_OVERLAP * (end - start)
        for d in detections
    )


def measure_auc(detector: Detector, scored: Scored, rows: Sequence[Mapping[str, object]], progress: Progress) -> Auc:
    """Rank all texts by their highest score over labels and windows."""
    harmful: list[float] = []
    harmless: list[float] = []
    for done, row in enumerate(rows, 1):
        windows = split(str(row["prompt"]), detector.window_characters)
        score = max(max(scored.scores(w.text).values(), default=0.0) for w in windows)
        (harmful if any(row.get(harm) == 1 for harm in _HARMS) else harmless).append(score)
        progress(f"{detector.name} moderation_eval", done, len(rows))
    return Auc(
        detector=detector.name,
        harmful=len(harmful),
        harmless=len(harmless),
        auc=area_under_curve(harmful, harmless),
    )


def area_under_curve(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Return the chance that a positive outranks a negative, ties counting half (Mann and Whitney's U).

    Raises:
        ValueError: one of the two is empty.
    """
    if not positive or not negative:
        raise ValueError("both classes need a text")
    ordered = sorted([(s, True) for s in positive] + [(s, False) for s in negative], key=lambda pair: pair[0])
    rank_sum, first = 0.0, 0
    while first < len(ordered):
        last = first
        while last < len(ordered) and ordered[last][0] == ordered[first][0]:
            last += 1
        shared_rank = (first + last + 1) / 2
        rank_sum += shared_rank * sum(is_positive for _, is_positive in ordered[first:last])
        first = last
    n = len(positive)
    return (rank_sum - n * (n + 1) / 2) / (n * len(negative))


def measure_false_positives(
    detector: Detector, data: str, texts: Sequence[str], progress: Progress
) -> list[FalsePositives]:
    """Count the texts with a finding, for each label and for any; e-mails do hold personal data, so there it is
    the rate of findings, not of errors, for a detector of personal data."""
    flagged: Counter[str] = Counter()
    for done, text in enumerate(texts, 1):
        labels = {d.label for d in _judge(detector, text)}
        flagged.update(labels | {"any"} if labels else labels)
        progress(f"{detector.name} {data}", done, len(texts))
    if not texts:
        return []
    flagged.setdefault("any", 0)
    return [
        FalsePositives(detector=detector.name, data=data, label=label, flagged=count, texts=len(texts))
        for label, count in sorted(flagged.items(), key=lambda item: (item[0] != "any", -item[1]))
    ]


def _judge(detector: Detector, text: str) -> tuple[Detection, ...]:
    judged = judge(detector, text)
    return judged[0] if judged else ()


def _rows(path: Path) -> list[dict[str, object]]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (head, *rows)
    ]
    return "\n".join([title, lines[0], "  ".join("-" * w for w in widths), *lines[1:]])
