from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from functions.analyze.frameworks import Framework, FrameworkError, Frameworks, read
from functions.analyze.settings import Settings
from llama_mapper.contracts.events import ControlTouched
from llama_mapper.contracts.problems import InvalidRequest
from llama_mapper.taxonomy import Taxonomy, load
from tests.fakes.findings import found

FOLDER = Path(Settings.model_fields["frameworks"].default)
NAMES = ("eu-ai-act", "gdpr", "hipaa", "iso27001", "iso42001", "nist-ai-rmf", "nist-csf", "pci-dss", "soc2")


def control(name: str) -> dict[str, str]:
    return {"id": name, "title": f"Title {name}", "summary": "A sentence.", "reference": "Somewhere"}


def touching(label: str, *controls: str) -> dict[str, Any]:
    return {"label": label, "controls": [{"id": name, "rationale": f"{label} and {name}."} for name in controls]}


MINIMAL: dict[str, Any] = {
    "framework": "rules",
    "name": "Some rules",
    "edition": "First",
    "published": "2023-12",
    "effective": "2024-01-01",
    "reference": "https://example.org/rules",
    "version": "2026.11",
    "controls": [control("R 1"), control("R 2")],
    "mappings": [
        touching("PII", "R 1"),
        touching("PII.Contact", "R 1", "R 2"),
        {"label": "HARM", "none": "These rules are not about harm."},
    ],
}

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(name: str = "rules.yaml", text: str | None = None, **changes: Any) -> Path:
        document = {key: value for key, value in (MINIMAL | changes).items() if value is not None}
        path = tmp_path / name
        path.write_text(text if text is not None else yaml.safe_dump(document), "utf-8")
        return path

    return written


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return load()


@pytest.fixture(scope="module")
def shipped() -> Frameworks:
    return Frameworks.load(FOLDER)


def test_the_minimal_file_is_read(write: Write) -> None:
    framework = read(write())
    assert (framework.framework, len(framework.controls), len(framework.mappings)) == ("rules", 2, 3)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"framework": "other"}, "calls itself other"),
        ({"framework": "Not An Id"}, "framework: "),
        ({"edition": None}, "edition: Field required"),
        ({"published": "2023"}, "published: "),
        ({"stages": [{"since": "2025-01-01", "scope": "b"}, {"since": "2024-01-01", "scope": "a"}]}, "order of time"),
        ({"effective": "soon"}, "effective: "),
        ({"version": "not one word"}, "version: "),
        ({"kontrols": []}, "kontrols: "),
        ({"controls": [control("R 1"), control("R 2"), control("R 3")]}, "R 3 is declared, not used"),
        ({"controls": [control("R 1")]}, "R 2 is used, not declared"),
        ({"controls": [control("R 1"), control("R 2"), control("R 2")]}, "R 2 is declared twice"),
        ({"controls": [control("R 1"), control("§ 2")]}, "controls.1.id: "),
        ({"controls": [control("R 1"), control("R" * 41)]}, "controls.1.id: "),
        ({"controls": [control("R 1"), control("R 2") | {"text": "copied"}]}, "controls.1.text: "),
        ({"mappings": [*MINIMAL["mappings"], touching("PII", "R 2")]}, "PII has two entries"),
        ({"mappings": [touching("PII", "R 1", "R 2", "R 2")]}, "PII touches R 2 twice"),
        ({"mappings": [*MINIMAL["mappings"], {"label": "IP"}]}, "mappings.3: "),
        ({"mappings": [*MINIMAL["mappings"], touching("IP", "R 1") | {"none": "both"}]}, "mappings.3: "),
        ({"mappings": [*MINIMAL["mappings"], {"label": "ip", "none": "Lower case."}]}, "mappings.3.label: "),
        ({"mappings": [*MINIMAL["mappings"], {"label": "IP", "controls": [{"id": "R 1"}]}]}, "rationale: "),
    ],
)
def test_a_planted_fault_is_named_with_file_and_place(write: Write, changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(FrameworkError) as refused:
        read(write(**changes))
    lines = str(refused.value).splitlines()
    assert all(line.startswith("rules.yaml: ") for line in lines)
    assert any(fault in line for line in lines), lines


@pytest.mark.parametrize("text", ["", "[", "- a", "a: !!python/name:os.system"])
def test_a_file_that_is_no_framework_is_refused(write: Write, text: str) -> None:
    with pytest.raises(FrameworkError, match=r"^rules\.yaml: "):
        read(write(text=text))


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_bytes("name: Müller".encode("latin-1"))
    with pytest.raises(FrameworkError, match="cannot be read"):
        read(path)


def test_a_folder_without_frameworks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FrameworkError, match="no frameworks here"):
        Frameworks.load(tmp_path)


@pytest.mark.parametrize(
    ("label", "entry"),
    [
        ("PII", "PII"),
        ("PII.Contact", "PII.Contact"),
        ("PII.Contact.Email", "PII.Contact"),
        ("PII.Contacts", "PII"),
        ("PII.Health.Condition", "PII"),
        ("HARM.Hate", "HARM"),
        ("PIIX", None),
        ("IP", None),
    ],
)
def test_the_nearest_entry_answers(label: str, entry: str | None) -> None:
    found_entry = Framework.model_validate(MINIMAL).entry(label)
    assert (found_entry.label if found_entry else None) == entry


def test_a_control_says_every_label_that_touches_it_and_none_is_said_with_its_reason() -> None:
    frameworks = Frameworks([Framework.model_validate(MINIMAL)])
    labels = ("PII.Contact.Email", "PII.Health", "HARM.Hate", "IP", "PII.Health")
    (result,) = frameworks.results([found(label) for label in labels], None)
    because = {match.control: [reason.label for reason in match.because] for match in result.controls}
    assert because == {"R 1": ["PII.Contact.Email", "PII.Health"], "R 2": ["PII.Contact.Email"]}
    assert [(one.label, one.reason) for one in result.no_fitting_control] == [
        ("HARM.Hate", "These rules are not about harm."),
        ("IP", "This edition of the mapping does not know the label."),
    ]


def test_the_version_changes_with_any_file_even_where_its_own_version_was_forgotten() -> None:
    def version(*changes: dict[str, Any]) -> str:
        return Frameworks(Framework.model_validate(MINIMAL | change) for change in changes).version

    first = version({}, {"framework": "newer", "version": "2026.12"})
    assert first.startswith("2026.12+")
    assert version({"version": "2026.10"}, {"framework": "newer", "version": "2026.12"}) != first
    assert version({"edition": "Second"}, {"framework": "newer", "version": "2026.12"}) != first
    assert version({"framework": "newer", "version": "2026.12"}, {}) == first


def test_frameworks_are_chosen_by_name_each_once(shipped: Frameworks) -> None:
    assert tuple(one.framework for one in shipped.named(None)) == NAMES
    assert [one.framework for one in shipped.named(["soc2", "gdpr", "soc2"])] == ["soc2", "gdpr"]
    assert shipped.named([]) == ()


def test_unknown_frameworks_are_refused_by_place_with_the_known_ones_named(shipped: Frameworks) -> None:
    with pytest.raises(InvalidRequest) as refused:
        shipped.named(["soc2", "canary", "gdpr", "hippa"])
    assert [error.field for error in refused.value.errors] == ["frameworks.1", "frameworks.3"]
    assert "eu-ai-act, gdpr, hipaa" in refused.value.errors[0].message
    assert "canary" not in refused.value.document("correlation-1").model_dump_json()


def test_where_none_is_named_the_default_ones_answer() -> None:
    some = Frameworks.load(FOLDER, default=("soc2", "gdpr"))
    assert [one.framework for one in some.named(None)] == ["gdpr", "soc2"]
    assert [one.framework for one in some.named(["pci-dss"])] == ["pci-dss"]
    assert [result.framework for result in some.results([found()], None)] == ["gdpr", "soc2"]


def test_the_settings_name_frameworks_that_are_there(shipped: Frameworks) -> None:
    assert set(Settings.model_fields["default_frameworks"].default) <= set(NAMES)


def test_a_default_that_is_not_there_stops_the_start() -> None:
    with pytest.raises(FrameworkError, match="no framework hippa here"):
        Frameworks.load(FOLDER, default=("hippa",))


@pytest.mark.parametrize("name", NAMES)
class TestEachFramework:
    def test_resolves_every_label_to_controls_or_to_a_reason(
        self, shipped: Frameworks, taxonomy: Taxonomy, name: str
    ) -> None:
        (framework,) = shipped.named([name])
        assert [label.name for label in taxonomy.labels if framework.entry(label.name) is None] == []

    def test_speaks_of_labels_that_exist(self, shipped: Frameworks, taxonomy: Taxonomy, name: str) -> None:
        (framework,) = shipped.named([name])
        assert [entry.label for entry in framework.mappings if entry.label not in taxonomy] == []

    def test_has_no_catch_all(self, shipped: Frameworks, taxonomy: Taxonomy, name: str) -> None:
        (framework,) = shipped.named([name])
        touched: Counter[str] = Counter()
        for label in taxonomy.labels:
            entry = framework.entry(label.name)
            touched.update(touch.id for touch in (entry.controls if entry else ()))
        (control_id, count), *_ = touched.most_common(1)
        assert count <= 0.4 * len(taxonomy.labels), control_id

    def test_names_one_to_four_controls_an_entry(self, shipped: Frameworks, name: str) -> None:
        (framework,) = shipped.named([name])
        assert [entry.label for entry in framework.mappings if len(entry.controls) > 4] == []

    def test_its_controls_fit_into_an_event(self, shipped: Frameworks, name: str) -> None:
        (framework,) = shipped.named([name])
        for one in framework.controls:
            touched = {"framework": name, "framework_version": framework.version, "control": one.id, "labels": []}
            assert ControlTouched.model_validate(touched).control == one.id

    def test_leaves_a_detectors_all_clear_alone(self, shipped: Frameworks, name: str) -> None:
        (framework,) = shipped.named([name])
        entry = framework.entry("SAFETY_NEGATIVE.NONE")
        assert entry is not None
        assert entry.none

    def test_rationales_stand_alone(self, shipped: Frameworks, name: str) -> None:
        (framework,) = shipped.named([name])
        texts = [touch.rationale for entry in framework.mappings for touch in entry.controls]
        assert [text for text in texts if text.lower().startswith("it ") or not text.endswith((".", "?"))] == []


@pytest.mark.parametrize(
    ("framework", "label", "control_id"),
    [
        ("gdpr", "PII.Health.Condition", "Art. 9(1)"),
        ("gdpr", "PII.Biometric", "Art. 9(1)"),
        ("soc2", "SECRET.Credential.Password", "CC6.1"),
        ("iso27001", "PII.Contact.Email", "A.5.34"),
        ("eu-ai-act", "SECURITY.DataPoisoning", "Art. 15(5)"),
        ("eu-ai-act", "HARM.Weapons.CBRNE", "Art. 55(1)(b)"),
        ("iso42001", "SECURITY.SupplyChain", "A.10.3"),
        ("nist-ai-rmf", "QUALITY.Ungrounded", "AI 600-1 2.2"),
        ("nist-csf", "SECRET.Credential.Password", "PR.AA-01"),
        ("pci-dss", "PII.Financial.PaymentCard.Number", "12.10.7"),
        ("pci-dss", "PII.Financial.PaymentCard.SecurityCode", "3.3.1.2"),
    ],
)
def test_a_label_touches_the_control_one_expects(
    shipped: Frameworks, framework: str, label: str, control_id: str
) -> None:
    (result,) = shipped.results([found(label)], [framework])
    assert control_id in [match.control for match in result.controls]


@pytest.mark.parametrize(
    ("framework", "label"),
    [("gdpr", "HARM.Speech.Profanity"), ("hipaa", "IP"), ("gdpr", "PII.Financial.BankCode"), ("pci-dss", "PII.Health")],
)
def test_where_nothing_fits_that_is_said(shipped: Frameworks, framework: str, label: str) -> None:
    (result,) = shipped.results([found(label)], [framework])
    assert result.controls == ()
    assert [one.label for one in result.no_fitting_control] == [label]
