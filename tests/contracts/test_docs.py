"""The pages name every setting, problem and event there is, and none that there is not."""

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from llama_mapper.chassis.settings import ServiceSettings
from llama_mapper.contracts import problems
from llama_mapper.contracts.events import EVENTS, PREFIX

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SERVICES = sorted(path.parent.name for path in ROOT.glob("functions/*/main.py"))
MODULES = [
    *(f"functions.{name}.settings" for name in SERVICES),
    "mapper_serving.settings",
    "mapper_training.job_settings",
    "llama_mapper.local.broker_settings",
]
BY_HAND = {
    "LLAMA_MAPPER_CONFIG",
    "LLAMA_MAPPER_HOME",
    "LLAMA_MAPPER_RUN_DIR",
    "LLAMA_MAPPER_API_KEY",
    "LLAMA_MAPPER_URL",
    "LLAMA_MAPPER_TENANT",
    "LLAMA_MAPPER_HMAC_KEY",
    "LLAMA_MAPPER_REGISTRY",
    "LLAMA_MAPPER_SIGNING_KEY",
    "LLAMA_MAPPER_TAXONOMY",
    "LLAMA_MAPPER_TRUSTED_KEYS",
    "FUNCTION_TARGET",
    "OTEL_TRACES_EXPORTER",
    "FUNCTION_SOURCE",
}
ROW = re.compile(r"^\| `([A-Z_]+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)


class Setting(NamedTuple):
    variable: str
    default: str


def settings() -> Iterator[Setting]:
    for name in MODULES:
        for model in vars(importlib.import_module(name)).values():
            if (
                isinstance(model, type)
                and issubclass(model, BaseSettings)
                and model not in (BaseSettings, ServiceSettings)
            ):
                for field, info in model.model_fields.items():
                    for variable in _variables(model, field, info):
                        yield Setting(variable, _default(info))


def _variables(model: type[BaseSettings], field: str, info: FieldInfo) -> list[str]:
    if isinstance(info.validation_alias, AliasChoices):
        return [str(choice) for choice in info.validation_alias.choices]
    return [f"{model.model_config.get('env_prefix', '')}{field}".upper()]


def _default(info: FieldInfo) -> str:
    value: Any = info.default
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Path) and value.is_relative_to(ROOT):
        return "in the checkout"
    if value is None or value == "":
        return "none" if value is None else "empty"
    plain = value if isinstance(value, bool | dict) else list(value) if isinstance(value, tuple | frozenset) else None
    return f"`{value if plain is None else json.dumps(plain)}`"


SETTINGS = sorted(set(settings()))
DOCUMENTED = {name: default for name, default, _ in ROW.findall((DOCS / "settings.md").read_text("utf-8"))}
CODES: tuple[problems.ErrorCode, ...] = problems.ErrorCode.__args__  # type: ignore[attr-defined]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.variable)
def test_a_setting_is_documented_with_its_default(setting: Setting) -> None:
    assert DOCUMENTED.get(setting.variable) == setting.default


def test_no_setting_is_documented_that_does_not_exist() -> None:
    assert set(DOCUMENTED) - {setting.variable for setting in SETTINGS} == BY_HAND


def test_every_problem_is_documented_as_it_is() -> None:
    rows = re.findall(
        r"^\| `([A-Z_]+)` \| (\d{3}) \| (yes|no) \|", (DOCS / "problems.md").read_text("utf-8"), re.MULTILINE
    )
    said = {code: (int(status), retryable == "yes") for code, status, retryable in rows}
    kinds = [kind for kind in vars(problems).values() if isinstance(kind, type) and issubclass(kind, problems.Problem)]
    assert said == {kind.error_code: (kind.status, kind.retryable) for kind in kinds}
    assert set(said) == set(CODES)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_every_event_is_documented(event: Any) -> None:
    text = (DOCS / "eventing.md").read_text("utf-8")
    assert PREFIX in text
    assert f"`{event.type.removeprefix(PREFIX + '.')}`" in text or f"`{event.type}`" in text
