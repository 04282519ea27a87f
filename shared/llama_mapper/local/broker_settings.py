"""Settings of the local broker, prefix ``BROKER_``."""

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from llama_mapper.chassis.settings import ServiceSettings


class BrokerSettings(ServiceSettings):
    """Where the broker listens, what it reads, and its limits."""

    model_config = SettingsConfigDict(env_prefix="BROKER_")

    host: str = "127.0.0.1"
    port: int = Field(default=8090, ge=1, le=65535)
    redis_url: str = "redis://127.0.0.1:8093/0"
    key_prefix: str = "broker"
    eventing: Path = Path("eventing")
    namespace: str = "llama-mapper"
    subscribers: dict[str, str] = {}
    """``Kind/name`` -> base URL. What is not here is looked for in ``LLAMA_MAPPER_<NAME>_URL``."""

    max_bytes: int = Field(default=262_144, ge=1024)
    max_pending: int = Field(default=10_000, ge=1)
    in_flight: int = Field(default=16, ge=1)
    backlog: int = Field(default=1_000, ge=1)
    delivery_timeout_seconds: float = Field(default=30.0, gt=0)
    max_backoff_seconds: float = Field(default=300.0, gt=0)
    drain_seconds: float = Field(default=5.0, ge=0)
    max_dead_letters: int = Field(default=10_000, ge=1)
    dead_letter_days: float = Field(default=7.0, gt=0)
    max_hops: int = Field(default=255, ge=0)
    """A chain of replies longer than this is a loop in the wiring and ends; upstream's default."""

    log_level: str = "INFO"

    def address(self, reference: str) -> str | None:
        """Return the base URL of ``Kind/name``, None where neither setting nor environment has it."""
        name = reference.partition("/")[2].upper().replace("-", "_")
        return self.subscribers.get(reference) or os.environ.get(f"LLAMA_MAPPER_{name}_URL")
