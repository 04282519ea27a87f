"""Settings of one service: its YAML file under the environment variables, checked at start, frozen afterwards.

Precedence, lowest first: the defaults in code, ``config/settings.yaml`` beside the service (or the file that
``LLAMA_MAPPER_CONFIG`` names), environment variables with the service's prefix.
"""

import os
from pathlib import Path
from typing import ClassVar, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, YamlConfigSettingsSource


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
        default = cls.folder / "config" / "settings.yaml" if cls.folder else Path("config/settings.yaml")
        path = Path(os.environ.get("LLAMA_MAPPER_CONFIG", default))
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls, yaml_file=path)


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
        prefix = str(model.model_config.get("env_prefix", ""))
        faults = [f"{prefix}{'_'.join(str(p) for p in e['loc']).upper()}: {e['msg']}" for e in error.errors()]
        raise SettingsError("settings are wrong:\n  " + "\n  ".join(faults)) from None
