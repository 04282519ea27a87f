"""Settings of analyze, prefix ``ANALYSIS_``."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, HttpUrl
from pydantic_settings import SettingsConfigDict

from llama_mapper.chassis.settings import ServiceSettings
from llama_mapper.contracts.identifiers import AnyFrameworkId, FrameworkId

FOLDER = Path(__file__).parent


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="ANALYSIS_", frozen=True, extra="forbid", hide_input_in_errors=True)
    folder: ClassVar[Path | None] = FOLDER

    frameworks: Path = Field(default=FOLDER / "frameworks", description="Folder of framework mappings")
    record_url: HttpUrl = Field(
        default=HttpUrl("http://127.0.0.1:8092"), description="Where rows are counted, to find patterns in"
    )
    record_timeout_seconds: float = Field(default=20.0, gt=0, le=60, description="Longest wait for one count of record")
    default_frameworks: tuple[AnyFrameworkId, ...] = Field(
        default=tuple(FrameworkId(name) for name in ("gdpr", "hipaa", "iso27001", "soc2")),
        min_length=1,
        description="Those that answer a request that names none, and an event",
    )
    knowledge: Path = Field(default=FOLDER / "guidance" / "knowledge", description="Folder of passages on the rules")
    max_bytes: int = Field(default=1_048_576, ge=1024, description="Largest request body, in bytes")
    log_level: str = "INFO"
