import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from llama_mapper.cli.main import app
from llama_mapper.contracts.flags import FLAG_NAMES

pytest.importorskip("openfeature.contrib.provider.flagd", reason="flagd's provider is not installed")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """``hedging`` is off for acme."""
    rule = {"if": [{"==": [{"var": "tenant"}, "acme"]}, "off", "on"]}
    said = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on", "targeting": rule}
    path = tmp_path / "flags.json"
    path.write_text(json.dumps({"flags": {"hedging": said}}))
    return path


@pytest.mark.parametrize(("tenant", "said"), [("acme", "off"), ("demo", "on")])
def test_get_prints_one_word(file: Path, tenant: str, said: str) -> None:
    done = CliRunner().invoke(app, ["flags", "get", "hedging", "--tenant", tenant, "--file", str(file)])
    assert (done.exit_code, done.stdout) == (0, f"{said}\n")


def test_list_shows_every_flag_and_why(file: Path) -> None:
    done = CliRunner().invoke(app, ["flags", "list", "--tenant", "acme", "--file", str(file)])
    assert done.exit_code == 0
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line.split()}
    assert set(FLAG_NAMES) <= set(rows)
    assert rows["hedging"].split()[1:3] == ["off", "targeting_match"]
    assert rows["response-cache"].split()[1:3] == ["on", "error"]


def test_without_a_file_named_it_is_the_checkouts() -> None:
    done = CliRunner().invoke(app, ["flags", "get", "model-mapper"])
    assert (done.exit_code, done.stdout) == (0, "on\n")


@pytest.mark.parametrize("arguments", [["get", "no-such-flag"], ["list", "--file", "/no/such/file"]])
def test_what_is_not_there_is_refused(arguments: list[str]) -> None:
    done = CliRunner().invoke(app, ["flags", *arguments])
    assert (done.exit_code, done.stdout) == (2, "")
