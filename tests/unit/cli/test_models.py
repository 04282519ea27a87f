import json
import typing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from llama_mapper.cli import models
from llama_mapper.cli.models import app
from llama_mapper.contracts import models as contract
from tests.fakes.experiments import VERSION, experiment


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REGISTRY", "SIGNING_KEY", "TRUSTED_KEYS"):
        monkeypatch.delenv(f"LLAMA_MAPPER_{name}", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def done(*words: object) -> str:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*words: object, status: int = 1) -> str:
    """The one line on stderr."""
    result = run(*words)
    assert result.exit_code == status, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line.removeprefix("error: ")


@pytest.fixture
def published(tmp_path: Path) -> str:
    """A version in the user's own registry, signed with the user's own key."""
    done("keygen")
    done("publish", experiment(tmp_path / "tried"))
    return VERSION


def test_a_key_is_made_where_the_other_commands_look_for_it(tmp_path: Path) -> None:
    said = done("keygen")
    keys = tmp_path / "data" / "llama-mapper" / "keys"
    assert (keys / "signing.pem").is_file()
    (trusted,) = (keys / "trusted").iterdir()
    assert said == f"key {trusted.stem}: private in {keys / 'signing.pem'}, public in {trusted}\n"
    assert "is there already" in refused("keygen")


def test_publishing_says_what_went_where(tmp_path: Path) -> None:
    done("keygen")
    said = done("publish", experiment(tmp_path / "tried"))
    assert said.startswith(f"published {VERSION}: 7 files, 0.0 MB, signed with the key ")
    refusal = refused("publish", tmp_path / "tried")
    assert refusal == f"{VERSION} is already published, with these very contents"


def test_without_a_key_nothing_is_published(tmp_path: Path) -> None:
    assert "`llama-mapper models keygen` makes some" in refused("publish", experiment(tmp_path / "t"), status=2)


def test_what_is_no_experiment_is_refused(tmp_path: Path) -> None:
    done("keygen")
    assert refused("publish", tmp_path / "nowhere") == "nowhere has no readable adapter/card.json"


def test_the_taxonomy_is_stated_where_the_record_is_silent(tmp_path: Path) -> None:
    done("keygen")
    folder = experiment(tmp_path / "tried", taxonomy=None)
    assert refused("publish", folder).endswith("state it (--taxonomy)")
    done("publish", folder, "--taxonomy", "2026.11")


def test_key_registry_and_trusted_keys_come_from_the_environment_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done("keygen", "--key", tmp_path / "k.pem", "--trusted-keys", tmp_path / "keys")
    monkeypatch.setenv("LLAMA_MAPPER_SIGNING_KEY", (tmp_path / "k.pem").read_text())
    monkeypatch.setenv("LLAMA_MAPPER_TRUSTED_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("LLAMA_MAPPER_REGISTRY", (tmp_path / "registry").as_uri())
    done("publish", experiment(tmp_path / "tried"))
    assert done("verify", VERSION).startswith(f"{VERSION}: 7 files as signed with the key ")
    assert (tmp_path / "registry" / "models" / "mapper" / VERSION / "manifest.json").is_file()


def test_an_empty_registry_says_how_to_fill_it() -> None:
    assert "`llama-mapper models publish` does it" in done("list")
    assert json.loads(done("list", "--json")) == []


def test_versions_are_listed_with_channel_and_figures(published: str) -> None:
    done("promote", published, "--who", "ada")
    heading, row = done("list").splitlines()
    assert heading.split() == [
        "version",
        "in",
        "use",
        "as",
        "published",
        "data",
        "taxonomy",
        "macro-F1",
        "coverage",
        "ECE",
    ]
    assert row.split()[:2] == [published, "production"]
    assert row.split()[-5:] == ["3", "2026.11", "0.900", "0.850", "0.040"]


def test_versions_are_json_for_programs(published: str) -> None:
    (one,) = json.loads(done("list", "--json"))
    assert (one["version"], one["channels"], one["manifest"]["made_from"]["data"]) == (published, [], "3")


def test_a_broken_version_is_listed_as_such(published: str, tmp_path: Path) -> None:
    where = tmp_path / "data" / "llama-mapper" / "models" / "models" / "mapper" / published
    (where / "manifest.json").write_text("{")
    assert "its manifest cannot be read" in done("list")
    assert "cannot be read" in done("show", published)


def test_a_version_is_shown_with_files_and_figures(published: str) -> None:
    shown = done("show", published)
    assert all(word in shown for word in (published, "smollm2-135m-instruct", "macro-f1 0.900", "card.json"))
    assert "history" not in shown


def test_a_channel_is_shown_with_its_history(published: str) -> None:
    done("promote", published, "--who", "ada", "--why", "the [first] one")
    shown = done("show", "production")
    assert shown.splitlines()[-3].strip() == "history of production"
    assert shown.splitlines()[-1].split(maxsplit=2)[2].split(maxsplit=3) == [
        "promote",
        published,
        "ada",
        "the [first] one",
    ]
    plain = json.loads(done("show", "production", "--json"))
    assert [change["why"] for change in plain["history"]] == ["the [first] one"]
    assert "history" not in json.loads(done("show", published, "--json"))


def test_a_model_card_is_shown_as_it_is(published: str) -> None:
    assert done("show", published, "--card").startswith(f"# {published}\n")


def test_promotions_and_rollbacks_say_what_was_before(published: str, tmp_path: Path) -> None:
    done("publish", experiment(tmp_path / "next", version="next.1"))
    assert done("promote", published, "--who", "ada") == f"production: {published}\n"
    assert done("promote", "next.1", "--who", "ada") == f"production: next.1 (before: {published})\n"
    assert done("rollback", "--who", "ada") == f"production: {published} again (before: next.1)\n"
    assert refused("rollback", "--who", "ada") == "production has no earlier version to go back to"


def test_the_login_name_stands_in_the_history(published: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    done("promote", published, "--channel", "canary")
    assert "grace" in done("show", "canary")


def test_a_version_is_pulled_once(published: str, tmp_path: Path) -> None:
    done("promote", published, "--who", "ada")
    dest = tmp_path / "adapter"
    assert done("pull", "production", dest) == f"{published} in {dest}\n"
    assert (dest / "adapter_model.safetensors").read_bytes() == b"weights"
    assert refused("pull", "production", dest) == f"{dest} is there already; give a new folder"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("show", "nope"), "nope is not published here"),
        (("verify", "nope"), "nope is not published here"),
        (("promote", "nope", "--who", "ada"), "nope is not published here"),
        (("pull", "canary", "adapter"), "nothing was promoted to canary yet"),
        (("promote", VERSION, "--who", "two words"), "who and why are short lines"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_work_is_one_line(published: str, words: tuple[str, ...], says: str) -> None:
    assert refused(*words).startswith(says)


def test_an_address_that_is_no_registry_is_refused() -> None:
    assert refused("list", "--registry", "http://x", status=2).startswith("a registry is a folder")


def test_without_trusted_keys_nothing_is_trusted(published: str, tmp_path: Path) -> None:
    (tmp_path / "data" / "llama-mapper" / "keys" / "trusted").rename(tmp_path / "away")
    assert "no trusted keys in" in refused("verify", published, status=2)


def test_the_channels_are_those_of_the_contract() -> None:
    assert typing.get_args(models.ChannelName) == typing.get_args(contract.ChannelName)


@pytest.mark.parametrize("command", ["list", "show", "publish", "promote", "rollback", "verify", "pull", "keygen"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    assert f"Example: llama-mapper models {command} " in done(command, "--help")
