"""Settings of record, prefix ``RECORD_``."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from llama_mapper.chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="RECORD_", frozen=True, extra="forbid", hide_input_in_errors=True)
    folder: ClassVar[Path | None] = Path(__file__).parent

    dsn: SecretStr = Field(description="chdb:///folder, or clickhouse[s]://user:password@host:port/database")
    cluster: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Name of the ClickHouse cluster, where it has several replicas: tables are made on all of them",
    )
    retention_days: int = Field(default=90, ge=1, le=3650, description="Age in days at which ClickHouse drops a row")
    max_bytes: int = Field(default=1_048_576, ge=1024, description="Largest request body, in bytes")
    log_level: str = "INFO"
