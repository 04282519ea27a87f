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
    assert named == {path.stem for path in (ROOT / "eventing" / "triggers").glob("*.yaml")}


def test_every_test_of_the_conformance_table_exists() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("*/local/test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert named
    assert named <= set(re.findall(r"def (test_\w+)", sources))
