"""The settings of detect, prefix ``DETECT_``."""

from pathlib import Path

from pydantic import AliasChoices, Field
from pydantic_settings import SettingsConfigDict

from llama_mapper.chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Thresholds are in 0..1; a detector reports nothing below its own."""

    model_config = SettingsConfigDict(env_prefix="DETECT_", frozen=True, extra="ignore", populate_by_name=True)

    executor_threads: int = Field(default=4, ge=1, le=64)
    max_timeout_seconds: float = Field(default=30.0, gt=0, le=60)
    max_bytes: int = Field(default=1_048_576, ge=1024)
    """Largest request body, in bytes."""
    preload: tuple[str, ...] = ()
    """Detectors to load at start instead of at their first use (JSON list in the environment)."""
    plugins_enabled: bool = True
    """Whether detectors of other installed distributions are offered."""
    cache_dir: Path = Field(
        default=Path("~/.cache/llama-mapper"),
        validation_alias=AliasChoices("DETECT_CACHE_DIR", "LLAMA_MAPPER_CACHE"),
    )
    """Holds what is derived from a package once (a vocabulary as JSON, a link to a model); never content."""

    log_level: str = "INFO"
    expected_languages: tuple[str, ...] = Field(default=("en",), min_length=1)
    """ISO 639-1 codes that are no finding (JSON list in the environment)."""
    language_threshold: float = Field(default=0.8, ge=0, le=1)
    presidio_threshold: float = Field(default=0.35, ge=0, le=1)
    toxicity_threshold: float = Field(default=0.5, ge=0, le=1)
    jailguard_threshold: float = Field(default=0.85, ge=0, le=1)
    """The vendor's 0.5 flagged 12 % of benign held-out texts, this one 5 %."""
    injection_threshold: float | None = Field(default=None, ge=0, le=1)
    """Unset: the threshold chosen in training, kept with the weights."""

    def cache(self) -> Path:
        return self.cache_dir.expanduser()
