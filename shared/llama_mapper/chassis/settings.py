"""Settings of one service: its YAML file under the environment variables, checked at start, frozen afterwards.

Precedence, lowest first: the defaults in code, ``config/settings.yaml`` beside the service (or the file that
``LLAMA_MAPPER_CONFIG`` names), environment variables with the service's prefix.
"""

import os
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import yaml
from pydantic import AliasChoices, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

CONFIG = "LLAMA_MAPPER_CONFIG"


class ServiceSettings(BaseSettings):
    """Base of every service's settings; a subclass sets ``env_prefix`` and ``folder``."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    folder: ClassVar[Path | None] = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        beside = cls.folder / "config" / "settings.yaml" if cls.folder else Path("config/settings.yaml")
        return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=_read(beside))


def _read(beside: Path) -> dict[str, Any]:
    named = os.environ.get(CONFIG)
    path = Path(named) if named else beside
    if not named and not path.exists():
        return {}
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"settings are wrong:\n  {CONFIG if named else beside}: cannot be read") from error
    if not isinstance(content, dict | None):
        raise SettingsError(f"settings are wrong:\n  {CONFIG if named else beside}: not a YAML mapping")
    return content or {}


S = TypeVar("S", bound=ServiceSettings)


class SettingsError(SystemExit):
    """The settings are wrong; the message names the variables, never their values."""


def load(model: type[S]) -> S:
    """Read the settings.

    Raises:
        SettingsError: a variable is missing or wrong; every fault is named.
    """
    try:
        return model()
    except ValidationError as error:
        faults = [f"{variable(model, str((*e['loc'], '(all)')[0]))}: {e['msg']}" for e in error.errors()]
    except SourceError as error:  # its text quotes no value: 'error parsing value for field "x" from source "y"'
        named = [field for field in model.model_fields if f'"{field}"' in str(error)]
        faults = [f"{variable(model, field)}: not readable as JSON" for field in named]
    raise SettingsError("settings are wrong:\n  " + "\n  ".join(faults))


def variable(model: type[ServiceSettings], field: str) -> str:
    """Return the environment variable that sets *field*; the first one where it has several."""
    info = model.model_fields.get(field)
    if info is None:  # pydantic names a field that has an alias by the alias
        return field if field.isupper() else f"{model.model_config.get('env_prefix', '')}{field}".upper()
    alias = info.validation_alias
    named = alias.choices[0] if isinstance(alias, AliasChoices) else alias
    return named if isinstance(named, str) else f"{model.model_config.get('env_prefix', '')}{field}".upper()
