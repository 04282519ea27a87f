from pathlib import Path
from typing import Any

import pytest
import yaml

from functions.analyze.compliance.crosswalks import INVERSE, CrosswalkError, Crosswalks, load
from functions.analyze.frameworks import Frameworks
from functions.analyze.settings import Settings

from .samples import framework

FOLDER = Path(Settings.model_fields["frameworks"].default)
SMALL = Frameworks([framework("a"), framework("b"), framework("c")])


def pair(first: str, second: str, *relations: tuple[str, str, str]) -> dict[str, Any]:
    said = [{"control": c, "relation": r, "other": o, "rationale": "A sentence."} for c, r, o in relations]
    return {"first": first, "second": second, "relations": said}


def read(path: Path, *pairs: dict[str, Any]) -> Crosswalks:
    file = path / "crosswalks.yaml"
    file.write_text(yaml.safe_dump({"version": "1", "pairs": list(pairs)}), "utf-8")
    return load(SMALL, file)


@pytest.fixture(scope="module")
def shipped() -> Crosswalks:
    return load(Frameworks.load(FOLDER))


def test_ours_name_only_what_is_there_and_contradict_nothing(shipped: Crosswalks) -> None:
    assert sum(len(one.relations) for one in shipped.pairs) > 100


def test_ours_relate_every_framework_to_some_other(shipped: Crosswalks) -> None:
    related = {name for one in shipped.pairs for name in (one.first, one.second)}
    assert related == {one.framework for one in Frameworks.load(FOLDER).all}


def test_every_relation_holds_both_ways(shipped: Crosswalks) -> None:
    for (a, b), (relation, rationale) in shipped.between.items():
        assert shipped.between[b, a] == (INVERSE[relation], rationale)


def test_ours_have_rationales_that_are_sentences(shipped: Crosswalks) -> None:
    assert [r.rationale for one in shipped.pairs for r in one.relations if not r.rationale.endswith(".")] == []


def test_a_control_is_told_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    known = read(tmp_path, pair("a", "b", ("R 1", "subset", "R 2")), pair("a", "c", ("R 1", "equal", "R 1")))
    assert [(point, relation) for point, relation, _ in known.of("a", "R 1")] == [
        (("b", "R 2"), "subset"),
        (("c", "R 1"), "equal"),
    ]
    assert [(point, relation) for point, relation, _ in known.of("b", "R 2")] == [(("a", "R 1"), "superset")]


@pytest.mark.parametrize(
    ("pairs", "fault"),
    [
        ([pair("b", "a", ("R 1", "equal", "R 1"))], "the first in the alphabet comes first"),
        ([pair("a", "a", ("R 1", "equal", "R 2"))], "the first in the alphabet comes first"),
        ([pair("a", "z", ("R 1", "equal", "R 1"))], "z R 1: is not there"),
        ([pair("a", "b", ("R 9", "equal", "R 1"))], "a R 9: is not there"),
        ([pair("a", "b", ("R 1", "equal", "R 1"), ("R 1", "subset", "R 1"))], "related twice"),
        ([pair("a", "b", ("R 1", "equal", "R 1")), pair("a", "b", ("R 2", "equal", "R 2"))], "stand twice"),
        ([pair("a", "b", ("R 1", "near", "R 1"))], "relation"),
        ([pair("a", "b")], "relations"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, pairs: list[dict[str, Any]], fault: str) -> None:
    with pytest.raises(CrosswalkError, match=fault):
        read(tmp_path, *pairs)


@pytest.mark.parametrize(
    ("ab", "bc", "ac", "fits"),
    [
        ("subset", "subset", "subset", True),
        ("subset", "subset", "superset", False),
        ("subset", "subset", "equal", False),
        ("subset", "subset", "intersects", False),
        ("superset", "superset", "superset", True),
        ("superset", "superset", "subset", False),
        ("equal", "equal", "equal", True),
        ("equal", "equal", "intersects", False),
        ("equal", "subset", "subset", True),
        ("equal", "subset", "superset", False),
        ("subset", "superset", "equal", True),
        ("subset", "intersects", "intersects", True),
        ("subset", "intersects", "superset", False),
        ("intersects", "intersects", "intersects", True),
    ],
)
def test_relations_that_follow_from_others_must_agree(tmp_path: Path, ab: str, bc: str, ac: str, fits: bool) -> None:
    pairs = (
        pair("a", "b", ("R 1", ab, "R 1")),
        pair("a", "c", ("R 1", ac, "R 1")),
        pair("b", "c", ("R 1", bc, "R 1")),
    )
    if fits:
        read(tmp_path, *pairs)
        return
    with pytest.raises(CrosswalkError, match="contradict"):
        read(tmp_path, *pairs)


def test_a_ring_of_subsets_is_a_contradiction(tmp_path: Path) -> None:
    ring = (
        pair("a", "b", ("R 1", "subset", "R 1")),
        pair("a", "c", ("R 1", "superset", "R 1")),
        pair("b", "c", ("R 1", "subset", "R 1")),
    )
    with pytest.raises(CrosswalkError, match="contradict"):
        read(tmp_path, *ring)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CrosswalkError, match="cannot be read"):
        load(SMALL, tmp_path / "none.yaml")
