from pathlib import Path

import pytest

from llama_mapper.taxonomy import TaxonomyError, load_crosswalk

from .conftest import Make

SOUND = """
version: "2026.11"
schemes:
  - id: list
    name: A list
    source: somebody
    entries:
      - {code: A, title: first, labels: [PII, PII.Contact]}
      - {code: B, title: second, labels: [PII]}
      - {code: C, title: third, labels: [], reason: nothing of ours fits}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "table.yaml"
    path.write_text(SOUND)
    return path


def test_a_label_is_found_in_every_category_that_names_it(make: Make, file: Path) -> None:
    table = load_crosswalk(make("PII.Contact"), file)
    assert [(scheme, entry.code) for scheme, entry in table.of("PII")] == [("list", "A"), ("list", "B")]
    assert list(table.of("PII.Contact.Email")) == []


def test_a_label_that_is_none_is_named_with_its_category(make: Make, file: Path) -> None:
    with pytest.raises(TaxonomyError) as caught:
        load_crosswalk(make("PII"), file)
    assert caught.value.faults == ("list A: no label PII.Contact",)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (", reason: nothing of ours fits", "", "schemes.0.entries.2"),
        ("code: A", "cod: A", "schemes.0.entries.0.code"),
        ("PII.Contact", "pii", "schemes.0.entries.0.labels.1"),
        ("schemes:", "schemes: [", "cannot be read"),
    ],
    ids=["no label and no reason", "typo", "no label's name", "no YAML"],
)
def test_a_broken_table_is_named_with_its_place(make: Make, file: Path, old: str, new: str, fault: str) -> None:
    file.write_text(SOUND.replace(old, new))
    with pytest.raises(TaxonomyError) as caught:
        load_crosswalk(make("PII.Contact"), file)
    assert caught.value.faults[0].startswith("table.yaml: ")
    assert fault in caught.value.faults[0]
