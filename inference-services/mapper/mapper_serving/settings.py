"""Settings of the mapper, prefix ``MAPPER_``."""

import math
from pathlib import Path
from typing import ClassVar

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from llama_mapper.chassis.settings import ServiceSettings

from .completion import CONCURRENCY, Grammar
from .variants import MAX_VARIANTS, VariantSetting

ROOM = Path(__file__).parents[1]


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(
        env_prefix="MAPPER_", frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True
    )
    folder: ClassVar[Path | None] = ROOM

    host: str = Field(default="0.0.0.0", description="Address to listen on")  # noqa: S104 - a pod's only interface
    port: int = Field(default=8080, ge=1, le=65535, description="Port to listen on")
    vocabularies: Path = Field(default=ROOM / "vocabularies", description="Folder of curated rule maps")
    redis_url: SecretStr | None = Field(default=None, description="Cache and reviews; in memory when absent")
    cache_seconds: int = Field(default=7 * 86_400, ge=1, description="How long a model's answer is reused")
    predictor_url: str | None = Field(
        default=None, description="Base URL of an OpenAI-compatible server (vLLM); rules alone when absent"
    )
    predictor_model: str = Field(default="mapper-llm", description="Name the server serves the adapter under")
    adapter: Path = Field(
        default=ROOM / "adapter", description="Folder of the adapter: its version and how its odds are read"
    )
    trusted_keys: Path | None = Field(
        default=None,
        description="Folder of public keys that the adapter must be signed with; digests alone when absent",
    )
    predictor_grammar: Grammar = Field(
        default="vllm", description="How the server is told which answers are allowed: vllm, gbnf (llama.cpp) or none"
    )
    concurrency: int = Field(default=CONCURRENCY, ge=1, le=256, description="Most calls to the predictor at once")
    budget_seconds: float = Field(default=0.45, gt=0, description="Longest wait for the predictor, then rules alone")
    variants: tuple[VariantSetting, ...] = Field(
        default=(),
        max_length=MAX_VARIANTS,
        description="Adapter versions with their shares, in place of the one above; the first is the control",
    )
    prices: Path = Field(default=ROOM / "prices.yaml", description="What the model's work costs")
    budgets: Path | None = Field(
        default=None, description="What each tenant may spend in a month; no limits when absent"
    )
    sink_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("K_SINK", "MAPPER_SINK_URL"),
        description="Broker ingress for budget alerts; none are sent when absent",
    )
    vectors: Path = Field(
        default=Path("~/.cache/llama-mapper/vectors.npz"),
        description="Where the vectors of the words that retrieval searches are kept",
    )
    platform_tenants: frozenset[str] = Field(
        default=frozenset(), description="Tenants whose people may decide in review for all tenants"
    )
    threshold: float = Field(default=0.6, ge=0, le=1, description="Below this confidence a label is OTHER.Unknown")
    max_bytes: int = Field(default=65_536, ge=1024, description="Largest request body, in bytes")
    tenants: frozenset[str] = Field(default=frozenset(), description="Tenants whose events are taken; empty takes all")
    log_level: str = "INFO"

    @field_validator("variants")
    @classmethod
    def _shares_are_of_a_hundred(cls, variants: tuple[VariantSetting, ...]) -> tuple[VariantSetting, ...]:
        if variants and not math.isclose(sum(variant.share for variant in variants), 100):
            raise ValueError("the shares must add up to 100")
        return variants
