from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.taxonomy import Taxonomy, TaxonomyError, parse
from llama_mapper.taxonomy.migration import Change, Plan, apply, diff, invert, plan

from .conftest import document, label

OLD_NAMES = ("A", "A.X", "A.Y", "B", "B.Z")
LATER = "2026.12"


def old() -> Taxonomy:
    return parse(document(OLD_NAMES))


def later(names: tuple[str, ...], moves: dict[str, list[str]]) -> Taxonomy:
    stated = [{"from": source, "to": targets} for source, targets in moves.items()]
    return parse(document(names, version=LATER, moves=stated))


RENAME = later(("A", "A.New", "A.Y", "B", "B.Z"), {"A.X": ["A.New"]})
SPLIT = later(("A", "A.One", "A.Two", "A.Y", "B", "B.Z"), {"A.X": ["A.One", "A.Two"]})
MERGE = later(("A", "A.Both", "B", "B.Z"), {"A.X": ["A.Both"], "A.Y": ["A.Both"]})
MERGE_INTO_OLD = later(("A", "A.Y", "B", "B.Z"), {"A.X": ["A.Y"]})
TANGLE = later(("A", "A.P", "A.Q", "B"), {"A.X": ["A.P", "A.Q"], "A.Y": ["A.Q"], "B.Z": ["B", "A.P"]})
MIGRATIONS = {
    "rename": RENAME,
    "split": SPLIT,
    "merge": MERGE,
    "merge into an old one": MERGE_INTO_OLD,
    "all at once": TANGLE,
}
by_kind = pytest.mark.parametrize("new", MIGRATIONS.values(), ids=MIGRATIONS)


def test_a_move_is_breaking_and_comes_first() -> None:
    changes = diff(
        old(), parse(document((*OLD_NAMES[2:], "A.New"), version=LATER, moves=[{"from": "A.X", "to": ["A.New"]}]))
    )
    assert changes == [
        Change(kind="breaking", label="A.X", what="moved to A.New"),
        Change(kind="additive", label="A.New", what="added"),
    ]


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("severity", 3, "severity 1 -> 3"),
        ("sensitivity", "secret", "sensitivity internal -> secret"),
        ("definition", "Something else.", "definition changed"),
        ("includes", ["more"], "includes changed"),
        ("excludes", ["less"], "excludes changed"),
        ("aliases", ["another name"], "aliases changed"),
        ("references", {"gdpr": ["Art. 9"]}, "references changed"),
    ],
)
def test_another_word_about_a_label_is_wording_and_needs_a_version(field: str, value: Any, what: str) -> None:
    changed = document(OLD_NAMES)
    changed["labels"] = [label(x["name"], **{field: value}) if x["name"] == "A.X" else x for x in changed["labels"]]
    assert diff(old(), parse(changed)) == [Change(kind="wording", label="A.X", what=what)]
    with pytest.raises(TaxonomyError, match=r"version 2026\.11 must be later than 2026\.11"):
        plan(old(), parse(changed))


def test_nothing_changed_needs_no_version() -> None:
    assert diff(old(), old()) == []
    assert plan(old(), old()).steps == ()


def test_a_label_may_not_vanish() -> None:
    with pytest.raises(TaxonomyError) as caught:
        plan(old(), later(("A", "B"), {"A.X": ["A"]}))
    assert caught.value.faults == (
        "A.Y: removed without a move; add a move",
        "B.Z: removed without a move; add a move",
    )


@pytest.mark.parametrize("version", ["2026.11", "2026.10", "2025.12"])
def test_the_version_must_rise(version: str) -> None:
    with pytest.raises(TaxonomyError, match="must be later than"):
        plan(old(), parse(document((*OLD_NAMES, "C"), version=version)))


@by_kind
def test_a_plan_says_what_moves_what_is_new_and_what_is_lost(new: Taxonomy) -> None:
    made = plan(old(), new)
    assert (made.from_version, made.to_version) == ("2026.11", LATER)
    assert {step.old: step.new for step in made.steps} == {move.source: move.targets for move in new.moves}
    assert set(made.added) == new.by_name.keys() - old().by_name.keys()
    assert Plan.model_validate_json(made.model_dump_json()) == made


@pytest.mark.parametrize(
    ("new", "lossy"),
    [(RENAME, ()), (SPLIT, ()), (MERGE, ("A.Both",)), (MERGE_INTO_OLD, ("A.Y",)), (TANGLE, ("A.P", "A.Q", "B"))],
)
def test_a_merge_is_lossy_and_said_so(new: Taxonomy, lossy: tuple[str, ...]) -> None:
    assert plan(old(), new).lossy == lossy


def findings(*labels: str) -> dict[str, Any]:
    return {"versions": {"taxonomy": "2026.11"}, "findings": [{"label": name, "score": 1} for name in labels]}


def test_a_rename_is_applied_to_objects_and_to_bare_names() -> None:
    record = findings("A.X", "B") | {"labels": ["A.X", "B"], "note": "A.X"}
    moved = apply(plan(old(), RENAME), record)
    assert moved["versions"] == {"taxonomy": LATER}
    assert [finding["label"] for finding in moved["findings"]] == ["A.New", "B"]
    assert (moved["labels"], moved["note"]) == (["A.New", "B"], "A.X")


def test_a_split_keeps_every_target() -> None:
    moved = apply(plan(old(), SPLIT), findings("A.X") | {"labels": ["A.X"]})
    assert [finding["label"] for finding in moved["findings"]] == ["A.One", "A.Two"]
    assert moved["labels"] == ["A.One", "A.Two"]


def test_a_file_of_records_splits_into_more_of_them() -> None:
    moved = apply(plan(old(), SPLIT), [{"label": "A.X", "taxonomy": "2026.11", "row": 1}])
    assert [(record["label"], record["taxonomy"], record["row"]) for record in moved] == [
        ("A.One", LATER, 1),
        ("A.Two", LATER, 1),
    ]


def test_an_object_outside_a_list_takes_the_first_target() -> None:
    assert apply(plan(old(), SPLIT), {"worst": {"label": "A.X"}})["worst"]["label"] == "A.One"


def test_a_merge_of_bare_names_leaves_one() -> None:
    assert apply(plan(old(), MERGE), {"labels": ["A.Y", "A.X"]}) == {"labels": ["A.Both"]}


def test_bare_names_come_back_as_the_first_source_of_a_merge() -> None:
    made = plan(old(), MERGE)
    assert apply(invert(made), apply(made, {"labels": ["A.Y"]})) == {"labels": ["A.X"]}


@pytest.mark.parametrize("version", ["2026.10", LATER, "", 5, None])
def test_a_record_of_another_version_is_refused(version: Any) -> None:
    with pytest.raises(ValueError, match=r"the plan starts from 2026\.11"):
        apply(plan(old(), RENAME), findings("A.X") | {"taxonomy": version})


@pytest.mark.parametrize("record", [5, "A.X", None, [], {}, {"label": 5}, {"labels": "A.X"}, {"labels": [1]}])
def test_what_is_no_record_passes_as_it_is(record: Any) -> None:
    assert apply(plan(old(), RENAME), record) == record


def test_applying_changes_nothing_of_what_it_was_given() -> None:
    record = findings("A.X")
    apply(plan(old(), SPLIT), record)
    assert record == findings("A.X")


@pytest.mark.parametrize("trail", ["A.Old", [], ["x"], [{"label": "A"}], 5])
def test_a_foreign_value_under_our_key_does_not_stop_it(trail: Any) -> None:
    moved = apply(plan(old(), RENAME), {"label": "A.X", "migrated_from": trail})
    assert moved["label"] == "A.New"


names = st.sampled_from([label.name for label in old().labels])
objects = st.fixed_dictionaries({"label": names, "score": st.integers(0, 3)})
records = st.recursive(
    st.lists(objects, max_size=5).map(lambda items: {"findings": items}) | objects | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
)


@by_kind
@given(record=records)
def test_there_and_back_is_where_it_began(new: Taxonomy, record: Any) -> None:
    made = plan(old(), new)
    assert apply(invert(made), apply(made, record)) == record


@by_kind
@given(record=records)
def test_no_old_name_is_left(new: Taxonomy, record: Any) -> None:
    def labels(value: Any) -> set[str]:
        if isinstance(value, list):
            return set().union(*map(labels, value)) if value else set()
        if not isinstance(value, dict):
            return set()
        parts = [labels(inner) for key, inner in value.items() if key != "migrated_from"]
        return {value["label"]}.union(*parts) if "label" in value else set().union(*parts)

    assert labels(apply(plan(old(), new), record)) <= new.by_name.keys()


@given(st.lists(objects, max_size=5))
def test_two_versions_on_and_two_back(items: list[Any]) -> None:
    newest = parse(
        document(("A", "A.X", "A.Y", "A.Z", "B"), version="2027.01", moves=[
            {"from": "A.One", "to": ["A.X", "A.Z"]}, {"from": "A.Two", "to": ["A.Y"]}, {"from": "B.Z", "to": ["B"]},
        ])
    )  # fmt: skip
    first, second = plan(old(), SPLIT), plan(SPLIT, newest)
    there = apply(second, apply(first, items))
    assert apply(invert(first), apply(invert(second), there)) == items


@by_kind
def test_the_way_back_names_only_what_the_old_version_has(new: Taxonomy) -> None:
    back = invert(plan(old(), new))
    assert (back.from_version, back.to_version) == (LATER, "2026.11")
    assert all(target in old() for step in back.steps for target in step.new)
