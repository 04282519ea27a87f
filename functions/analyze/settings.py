"""Settings of analyze, prefix ``ANALYSIS_``."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from llama_mapper.chassis.settings import ServiceSettings

FOLDER = Path(__file__).parent


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="ANALYSIS_", frozen=True, extra="forbid", hide_input_in_errors=True)
    folder: ClassVar[Path | None] = FOLDER

    frameworks: Path = Field(default=FOLDER / "frameworks", description="Folder of framework mappings")
    max_bytes: int = Field(default=1_048_576, ge=1024, description="Largest request body, in bytes")
    log_level: str = "INFO"
