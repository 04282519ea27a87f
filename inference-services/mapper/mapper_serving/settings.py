"""Settings of the mapper, prefix ``MAPPER_``."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from llama_mapper.chassis.settings import ServiceSettings

ROOM = Path(__file__).parents[1]


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="MAPPER_", frozen=True, extra="forbid", hide_input_in_errors=True)
    folder: ClassVar[Path | None] = ROOM

    host: str = Field(default="0.0.0.0", description="Address to listen on")  # noqa: S104 - a pod's only interface
    port: int = Field(default=8080, ge=1, le=65535, description="Port to listen on")
    vocabularies: Path = Field(default=ROOM / "vocabularies", description="Folder of curated rule maps")
    redis_url: SecretStr | None = Field(default=None, description="Cache and review queue; in memory when absent")
    cache_seconds: int = Field(default=7 * 86_400, ge=1, description="How long a model's answer is reused")
    predictor_url: str | None = Field(
        default=None, description="Base URL of an OpenAI-compatible server (vLLM); rules alone when absent"
    )
    predictor_model: str = Field(default="mapper-llm", description="Name the server serves the adapter under")
    adapter: Path = Field(
        default=ROOM / "adapter", description="Folder of the adapter: its version and how its odds are read"
    )
    budget_seconds: float = Field(default=0.45, gt=0, description="Longest wait for the predictor, then rules alone")
    vectors: Path = Field(
        default=Path("~/.cache/llama-mapper/vectors.npz"),
        description="Where the vectors of the words that retrieval searches are kept",
    )
    threshold: float = Field(default=0.6, ge=0, le=1, description="Below this confidence a label is OTHER.Unknown")
    max_bytes: int = Field(default=65_536, ge=1024, description="Largest request body, in bytes")
    tenants: frozenset[str] = Field(default=frozenset(), description="Tenants whose events are taken; empty takes all")
    log_level: str = "INFO"
