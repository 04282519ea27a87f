"""The committed golden set against the vocabularies it is drawn from, and its table of sources."""

from collections import Counter
from functools import cache
from pathlib import Path

from mapper_serving.vocabulary import Vocabulary, read_all
from mapper_training.data import curated
from mapper_training.golden import Case, read_cases
from mapper_training.setting import GOLDEN, VOCABULARIES

SOURCES = Path(GOLDEN).with_name("SOURCES.md")


@cache
def cases() -> tuple[Case, ...]:
    return read_cases(GOLDEN)


@cache
def vocabularies() -> tuple[Vocabulary, ...]:
    """All but one that joined after this golden set was drawn; the next set holds it."""
    return tuple(one for one in read_all(VOCABULARIES) if one.detector != "llama-mapper-views")


def test_it_is_every_label_with_a_target_or_a_hundred_of_a_vendor() -> None:
    drawn = {(e.vendor, e.word, e.description): dict(e.gold) for e in curated(vocabularies(), 100, seed=11)}
    golden = {(case.vendor, case.word, case.description): case for case in cases()}
    assert golden.keys() == drawn.keys()
    for which, case in golden.items():
        assert drawn[which].items() <= case.labels.items()
        # Where two readings are right, a rule keeps to one and a mapper may say either.
        assert drawn[which] == case.labels or case.passes == "both"
    assert max(Counter(case.vendor for case in cases()).values()) == 100


def test_every_vendor_has_its_sources_with_what_they_hold() -> None:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in SOURCES.read_text("utf-8").splitlines()]
    table = [row for row in rows if len(row) == 7][2:]
    counted = {row[0]: int(row[1]) for row in table if row[0]}
    assert counted == Counter(case.vendor for case in cases())
    stated = Counter((int(row[3]), int(row[4]), row[5], row[6]) for row in table)
    assert stated == Counter((v.published, len(v.labels), v.source.reference, v.source.read) for v in vocabularies())


def test_the_passes_are_counted_as_the_page_says() -> None:
    assert Counter(case.passes for case in cases()) == {
        "agreed": 1729,
        "second": 109,
        "both": 23,
        "first": 19,
        "neither": 1,
    }
