"""Every ``test_`` rule beside a policy, evaluated by the engine orchestrate uses; and what all policies keep to."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import regorus

from functions.orchestrate.policies.rego import POLICIES
from llama_mapper.taxonomy import load

FOLDER = Path(__file__).parents[3] / "policies"
TESTS = sorted(FOLDER.rglob("*_test.rego"))
SOURCES = sorted(path for path in FOLDER.rglob("*.rego") if path not in TESTS)
NAMES = [(path, name) for path in TESTS for name in re.findall(r"^(test_\w+)", path.read_text("utf-8"), re.MULTILINE)]


def engine(*paths: Path) -> Any:
    loaded = regorus.Engine()
    for path in paths:
        loaded.add_policy(str(path.relative_to(FOLDER)), path.read_text("utf-8"))
    loaded.add_data_json((FOLDER / "data.json").read_text("utf-8"))
    return loaded


@pytest.fixture(scope="module")
def data() -> Any:
    return json.loads((FOLDER / "data.json").read_text("utf-8"))


@pytest.mark.parametrize(("path", "name"), NAMES, ids=[f"{path.parent.name}.{name}" for path, name in NAMES])
def test_rule_holds(path: Path, name: str) -> None:
    package = re.search(r"^package (\S+)", path.read_text("utf-8"), re.MULTILINE)
    assert package
    assert engine(*SOURCES, path).eval_rule(f"data.{package.group(1)}.{name}") is True


def test_no_test_hides_another_of_its_name() -> None:
    assert [name for name, times in Counter(NAMES).items() if times > 1] == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_policy_has_tests_beside_it(source: Path) -> None:
    assert [name for path, name in NAMES if path == source.with_name(f"{source.stem}_test.rego")]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_no_policy_reaches_out_or_looks_at_the_clock(source: Path) -> None:
    used = re.findall(r"\b(?:http|net|time|rand|opa|uuid|io|trace)\.\w+|\bprint\(", source.read_text("utf-8"))
    assert used == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_package_is_the_folder(source: Path) -> None:
    assert f"package llama_mapper.{source.parent.name}\n" in source.read_text("utf-8")
    assert source.stem == source.parent.name


def test_every_policy_that_is_asked_is_there() -> None:
    assert sorted(source.stem for source in SOURCES) == sorted(POLICIES)


@pytest.mark.parametrize(
    ("name", "harmless"),
    [
        ("admission", {"allow": False, "reasons": ["tenant.unknown"], "priority": "low"}),
        ("selection", {"detectors": [], "required": [], "coverage_method": "REQUIRED_SET"}),
        ("decision", {"action": "human_review", "reasons": ["policy.undecided"], "obligations": []}),
    ],
)
def test_without_input_the_default_lets_nothing_through(name: str, harmless: dict[str, object]) -> None:
    asked = engine(*SOURCES)
    asked.set_input_json("{}")
    assert asked.eval_rule(f"data.llama_mapper.{name}.{name}") == harmless


def test_every_label_with_an_action_is_in_the_taxonomy(data: Any) -> None:
    taxonomy = load()
    assert [entry["label"] for entry in data["decision"]["labels"] if entry["label"] not in taxonomy] == []


def test_no_label_has_two_entries(data: Any) -> None:
    labels = Counter(entry["label"] for entry in data["decision"]["labels"])
    assert [label for label, times in labels.items() if times > 1] == []


def test_every_entry_is_complete_and_its_action_is_one(data: Any) -> None:
    for entry in data["decision"]["labels"]:
        agreement = set(entry) & {"min_detectors", "otherwise"}
        assert agreement in (set(), {"min_detectors", "otherwise"}), entry["label"]
        assert set(entry) - agreement == {"label", "min_severity", "action", "code", "obligations"}, entry["label"]
        actions = {entry["action"], entry.get("otherwise", "allow")}
        assert actions <= {"allow", "flag", "redact", "human_review", "block"}, entry["label"]
        assert entry["min_severity"] in range(5), entry["label"]
        assert re.fullmatch(r"[a-z][a-z_.]*", entry["code"]), entry["label"]


def test_every_reason_code_is_used_once(data: Any) -> None:
    codes = [entry["code"] for entry in data["decision"]["labels"]]
    assert len(codes) == len(set(codes))


def test_every_label_of_weight_is_someones_business(data: Any) -> None:
    taxonomy = load()
    entries = [entry["label"] for entry in data["decision"]["labels"]]
    grave = [label.name for label in taxonomy.labels if label.severity >= 2]
    assert [name for name in grave if not any(taxonomy.is_within(name, entry) for entry in entries)] == []


@pytest.mark.parametrize(
    ("label", "severity", "action"),
    [
        ("PII.Identifier.SocialSecurity", 3, "redact"),
        ("PII.Person.Name", 1, "flag"),
        ("PII.Location.Place", 1, "allow"),
        ("SECRET.ServiceKey.Cloud", 4, "block"),
        ("JAILBREAK.RolePlay", 3, "human_review"),  # block only where two detectors agree
        ("PII.Person.DateOfBirth", 2, "redact"),
        ("HARM.Hate.Religion", 3, "block"),
        ("HARM.Speech.Threat", 3, "human_review"),
        ("HARM.Speech.Profanity", 1, "allow"),
        ("HARM.Speech.Insult", 2, "flag"),
        ("HARM.SelfHarm.Intent", 4, "human_review"),
        ("HARM.ChildSafety.Grooming", 4, "block"),
        ("HARM.Weapons.Conventional", 2, "flag"),
        ("HARM.Weapons.CBRNE", 4, "block"),
        ("QUALITY.Ungrounded", 2, "flag"),
        ("QUALITY.Format", 0, "allow"),
        ("OTHER.Entity.Date", 0, "allow"),
    ],
)
def test_the_shipped_data_decides_sanely(label: str, severity: int, action: str) -> None:
    asked = engine(*SOURCES)
    finding = {"label": label, "confidence": 0.9, "severity": severity}
    asked.set_input_json(json.dumps({"findings": [finding], "coverage": {"score": 1, "missing": []}}))
    assert asked.eval_rule("data.llama_mapper.decision.decision")["action"] == action


@pytest.mark.parametrize("mode", ["standard", "fast", "thorough"])
@pytest.mark.parametrize("content_type", ["text", "document", "code", "structured"])
def test_with_every_detector_there_each_profile_can_be_covered(mode: str, content_type: str, data: Any) -> None:
    available = sorted({d for profile in data["selection"]["profiles"].values() for d in profile["detectors"]})
    asked = engine(*SOURCES)
    question = {"processing_mode": mode, "content_type": content_type, "excluded": [], "required": []}
    asked.set_input_json(json.dumps(question | {"available": available}))
    answer = asked.eval_rule("data.llama_mapper.selection.selection")
    assert answer["detectors"]
    assert set(answer["required"]) <= set(answer["detectors"])


def test_pillars_of_detectors_are_pillars_of_the_taxonomy(data: Any) -> None:
    pillars = {label.pillar for label in load().labels}
    assert {pillar for named in data["selection"]["pillars"].values() for pillar in named} <= pillars
