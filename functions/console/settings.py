"""Settings of console, prefix ``CONSOLE_``."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, HttpUrl
from pydantic_settings import SettingsConfigDict

from llama_mapper.chassis.settings import ServiceSettings
from llama_mapper.contracts.identifiers import AnyTenantId, TenantId


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="CONSOLE_", frozen=True, extra="forbid", hide_input_in_errors=True)
    folder: ClassVar[Path | None] = Path(__file__).parent

    orchestrate_url: HttpUrl = Field(default=HttpUrl("http://127.0.0.1:8000"), description="Where content is judged")
    analyze_url: HttpUrl = Field(default=HttpUrl("http://127.0.0.1:8001"), description="Asked for its health only")
    mapper_url: HttpUrl = Field(default=HttpUrl("http://127.0.0.1:8002"), description="Where labels are mapped")
    record_url: HttpUrl = Field(default=HttpUrl("http://127.0.0.1:8092"), description="Where rows are read")
    tenant: AnyTenantId = Field(default=TenantId("demo"), description="The tenant whose rows are shown")
    timeout_seconds: float = Field(default=10.0, gt=0, le=60, description="Longest wait for another service")
    max_bytes: int = Field(default=262_144, ge=1024, description="Largest form accepted, in bytes")
    log_level: str = "INFO"
