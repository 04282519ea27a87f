"""docs/eventing.md says what is there: settings, Triggers, and tests that exist."""

import re
from pathlib import Path

from llama_mapper.local.broker_settings import BrokerSettings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "eventing.md").read_text(encoding="utf-8")


def test_every_setting_of_the_broker_is_on_the_page_and_no_other() -> None:
    named = set(re.findall(r"BROKER_[A-Z_]+", PAGE))
    assert named == {f"BROKER_{name.upper()}" for name in BrokerSettings.model_fields}


def test_every_trigger_is_on_the_page() -> None:
    named = set(re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE))
    files = (*(ROOT / "eventing" / "triggers").glob("*.yaml"), *(ROOT / "kustomize" / "components").glob("*/*.yaml"))
    assert named == {path.stem for path in files if "\nkind: Trigger\n" in path.read_text(encoding="utf-8")}


def defined_in(pattern: str) -> set[str]:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob(pattern))
    return set(re.findall(r"def (test_\w+)", sources))


def test_every_test_of_the_conformance_table_exists() -> None:
    named = re.findall(r"`(test_\w+)`", PAGE)
    assert named
    assert set(named) <= defined_in("*/local/test_*.py")
    assert len(named) == len(set(named))


def test_every_test_of_the_running_broker_stands_at_a_rule() -> None:
    assert defined_in("integration/local/test_broker_*.py") <= set(re.findall(r"`(test_\w+)`", PAGE))


def test_every_rule_has_a_test() -> None:
    rules = re.findall(r"^\| rule \| test \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    rows = "".join(rules).splitlines()
    assert len(rows) > 40
    assert [row for row in rows if not re.fullmatch(r"\| .+ \| `test_\w+`(, `test_\w+`)* \|", row)] == []
