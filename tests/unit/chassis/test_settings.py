from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from llama_mapper.chassis.settings import ServiceSettings, SettingsError, load, variable

SECRET = "s3cr3t-value"


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="SAMPLE_", populate_by_name=True)

    port: int = Field(default=1, ge=1)
    name: str = "default"
    key: SecretStr = SecretStr("")
    names: tuple[str, ...] = ()
    url: str = Field(default="", validation_alias=AliasChoices("K_SINK", "SAMPLE_URL"))


class Needy(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="NEEDY_")
    dsn: SecretStr
    days: int


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("LLAMA_MAPPER_CONFIG", "K_SINK", "SAMPLE_PORT", "SAMPLE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    return tmp_path / "config" / "settings.yaml"


def refusal(model: type[ServiceSettings] = Settings) -> str:
    with pytest.raises(SettingsError) as caught:
        load(model)
    return str(caught.value)


def test_defaults_stand_alone() -> None:
    assert load(Settings).port == 1


def test_the_file_beats_the_defaults(file: Path) -> None:
    file.write_text("port: 2\n")
    assert (load(Settings).port, load(Settings).name) == (2, "default")


def test_a_variable_beats_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("port: 2\nname: of the file\n")
    monkeypatch.setenv("SAMPLE_PORT", "3")
    assert (load(Settings).port, load(Settings).name) == (3, "of the file")


def test_another_file_can_be_named(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("port: 2\n")
    other = tmp_path / "other.yaml"
    other.write_text("port: 4\n")
    monkeypatch.setenv("LLAMA_MAPPER_CONFIG", str(other))
    assert load(Settings).port == 4


def test_the_file_lies_beside_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Beside(Settings):
        folder: ClassVar[Path | None] = tmp_path / "service"

    (tmp_path / "service" / "config").mkdir(parents=True)
    (tmp_path / "service" / "config" / "settings.yaml").write_text("port: 5\n")
    monkeypatch.chdir("/")
    assert load(Beside).port == 5


@pytest.mark.parametrize("variable", ["K_SINK", "SAMPLE_URL"])
def test_a_setting_with_two_names_is_read_by_both(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "http://broker")
    assert load(Settings).url == "http://broker"


def test_every_missing_variable_is_named() -> None:
    assert refusal(Needy) == "settings are wrong:\n  NEEDY_DSN: Field required\n  NEEDY_DAYS: Field required"


@pytest.mark.parametrize(
    ("name", "value"), [("SAMPLE_PORT", SECRET), ("SAMPLE_PORT", "-5555"), ("SAMPLE_NAMES", f"[{SECRET}")]
)
def test_a_wrong_variable_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    message = refusal()
    assert f"  {name}: " in message
    assert value not in message


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (f"prot: {SECRET}\n", "SAMPLE_PROT: "),
        (f"port: {SECRET}\n", "SAMPLE_PORT: "),
        (f"- {SECRET}\n", "settings.yaml: not a YAML mapping"),
        (f"{SECRET}\n", "settings.yaml: not a YAML mapping"),
        (f"port: [{SECRET}\n", "settings.yaml: cannot be read"),
    ],
    ids=["typo", "wrong type", "list", "text", "not YAML"],
)
def test_a_wrong_file_is_named_without_what_it_holds(file: Path, content: str, named: str) -> None:
    file.write_text(content)
    message = refusal()
    assert named in message
    assert SECRET not in message


def test_a_file_that_is_not_utf_8_is_refused(file: Path) -> None:
    file.write_bytes(b"name: \xff\n")
    assert "settings.yaml: cannot be read" in refusal()


def test_an_empty_file_changes_nothing(file: Path) -> None:
    file.write_text("# nothing yet\n")
    assert load(Settings) == Settings.model_construct(port=1, name="default", key=SecretStr(""), names=(), url="")


def test_a_named_file_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_MAPPER_CONFIG", str(tmp_path / "nowhere.yaml"))
    assert refusal() == "settings are wrong:\n  LLAMA_MAPPER_CONFIG: cannot be read"


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        load(Settings).port = 2  # type: ignore[misc]


def test_a_secret_does_not_print(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_KEY", SECRET)
    assert SECRET not in repr(load(Settings))


@pytest.mark.parametrize(
    ("field", "name"), [("port", "SAMPLE_PORT"), ("url", "K_SINK"), ("K_SINK", "K_SINK"), ("other", "SAMPLE_OTHER")]
)
def test_a_field_knows_its_variable(field: str, name: str) -> None:
    assert variable(Settings, field) == name
