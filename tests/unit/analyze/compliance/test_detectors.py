from pathlib import Path

import pytest

from functions.analyze.compliance.detectors import DetectorsError, reach, read
from llama_mapper.contracts.compliance import DetectorRan

from .samples import SPEAKERS


def ran(detector: str, version: str | None = None) -> DetectorRan:
    return DetectorRan.model_validate({"detector": detector, "version": version})


@pytest.mark.parametrize(
    ("detector", "version", "labels"),
    [
        ("mail", "2", {"PII.Contact.Email"}),
        ("mail", "2.4.1", {"PII.Contact.Email"}),
        ("mail", "2-beta", {"PII.Contact.Email"}),
        ("mail", "20", None),
        ("mail", None, {"PII.Contact.Email"}),
        ("post", "2", {"PII.Contact.Email"}),
        ("broad", "any.thing", {"PII"}),
        ("keys", "1.4", {"SECRET", "SECRET.Token"}),
        ("keys", "1.5", {"SECRET.Token", "SECRET.Key"}),
        ("keys", "1.5.2", {"SECRET.Token", "SECRET.Key"}),
        ("keys", None, {"SECRET.Token"}),
        ("keys", "unknown", {"SECRET.Token"}),
        ("nobody", None, None),
        ("nobody", "1", None),
    ],
)
def test_what_a_detector_can_report_depends_on_its_version(
    detector: str, version: str | None, labels: set[str] | None
) -> None:
    assert SPEAKERS.labels(ran(detector, version)) == labels


def test_label_lists_of_data_sets_are_not_offered() -> None:
    assert [f"{name} {' '.join(versions)}" for name, versions in SPEAKERS.could_run] == [
        "broad *",
        "keys 1",
        "keys 1.5",
        "mail 2",
    ]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("PII.Contact", "itself"),
        ("PII", "narrower"),
        ("PII.Contact.Email", "broader"),
        ("PII.Contacts", "none"),
        ("PIIX", "none"),
        ("SECRET", "none"),
    ],
)
def test_a_label_is_reached_itself_from_below_from_above_or_not(label: str, expected: str) -> None:
    assert reach(label, ["PII.Contact"]) == expected


def test_ours_is_read() -> None:
    speakers = read()
    assert "PII.Contact.Email" in (speakers.labels(ran("presidio", "2.2.366")) or ())
    assert "ai4privacy-200k" not in {detector for detector, _ in speakers.could_run}


def test_a_file_that_is_broken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "detectors.json").write_text("{}")
    with pytest.raises(DetectorsError):
        read(tmp_path / "detectors.json")
