from typing import Any

import pytest

from functions.analyze.compliance.changes import Change, diff
from functions.analyze.frameworks import Touch

from .samples import control, framework, touching

LABELS = ("PII", "PII.Contact", "PII.Contact.Email", "SECRET", "HARM", "HARM.Hate")
MAPPINGS: list[dict[str, Any]] = [
    touching("PII", "R 1"),
    touching("PII.Contact", "R 1", "R 2"),
    touching("SECRET", "R 3"),
    {"label": "HARM", "none": "These rules are not about harm."},
]


def test_a_version_does_not_differ_from_itself() -> None:
    assert diff(framework(), framework(), LABELS) == ()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"edition": "Second"}, Change("framework", "edition", "First -> Second")),
        ({"published": "2024-02"}, Change("framework", "published", "2023-12 -> 2024-02")),
        ({"stages": [{"since": "2025-01-01", "scope": "All"}]}, Change("framework", "stages", "changed")),
        (
            {"controls": [control("R 1"), control("R 2"), control("R 3", title="New")]},
            Change("control reworded", "R 3", "title: Title R 3 -> New"),
        ),
        (
            {"controls": [*map(control, ("R 1", "R 2", "R 3", "R 4"))], "mappings": [*MAPPINGS, touching("IP", "R 4")]},
            Change("control added", "R 4", "Title R 4"),
        ),
        (
            {"controls": [control("R 1"), control("R 2")], "mappings": [MAPPINGS[0], MAPPINGS[1], MAPPINGS[3]]},
            Change("control removed", "R 3", "Title R 3"),
        ),
        (
            {"mappings": [MAPPINGS[0], MAPPINGS[1], MAPPINGS[3], {"label": "SECRET", "none": "Gone."}]},
            Change("label no longer fits", "SECRET", "-R 3"),
        ),
        (
            {"mappings": [*MAPPINGS[:3], touching("HARM", "R 1")]},
            Change("label now fits", "HARM.Hate", "+R 1"),
        ),
        (
            {"mappings": [MAPPINGS[0], touching("PII.Contact", "R 3"), *MAPPINGS[2:]]},
            Change("label moved", "PII.Contact.Email", "-R 1 -R 2 +R 3"),
        ),
        (
            {"mappings": [*MAPPINGS[:3], {"label": "HARM", "none": "Another reason."}]},
            Change("reason reworded", "HARM", "These rules are not about harm. -> Another reason."),
        ),
    ],
)
def test_a_change_is_named(changes: dict[str, Any], expected: Change) -> None:
    assert expected in diff(framework(), framework(**changes), LABELS)


def test_a_reworded_rationale_is_shown_with_both_words() -> None:
    new = framework()
    (first, *rest) = new.mappings
    moved = first.model_copy(update={"controls": (Touch.model_validate({"id": "R 1", "rationale": "Other."}),)})
    changes = diff(framework(), new.model_copy(update={"mappings": (moved, *rest)}), LABELS)
    assert changes == (Change("rationale reworded", "PII", "R 1: PII and R 1. -> Other."),)


def test_a_new_entry_is_shown_at_every_label_below_it_and_at_no_other() -> None:
    new = framework(mappings=[*MAPPINGS, touching("PII.Contact.Email", "R 3")])
    assert [change.subject for change in diff(framework(), new, LABELS)] == ["PII.Contact.Email"]


def test_what_changes_a_meaning_comes_before_wording() -> None:
    new = framework(
        controls=[control("R 1", title="New"), control("R 2"), control("R 3")],
        mappings=[*MAPPINGS[:2], MAPPINGS[3], touching("SECRET", "R 1", "R 3")],
    )
    assert [change.kind for change in diff(framework(), new, LABELS)] == ["label moved", "control reworded"]
