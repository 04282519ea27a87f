"""Settings of promote, prefix ``PROMOTE_``."""

from pathlib import Path
from typing import ClassVar

from pydantic import AliasChoices, Field, HttpUrl
from pydantic_settings import SettingsConfigDict

from llama_mapper.chassis.settings import ServiceSettings
from llama_mapper.contracts.canaries import KubernetesName

from .judging import Rules


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(
        env_prefix="PROMOTE_", frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True
    )
    folder: ClassVar[Path | None] = Path(__file__).parent

    namespace: KubernetesName = Field(default="llama-mapper", description="Whose canaries are looked after")
    prometheus_url: HttpUrl = Field(
        default=HttpUrl("http://127.0.0.1:9090"), description="Base URL of Prometheus' HTTP API"
    )
    prometheus_timeout_seconds: float = Field(default=10.0, gt=0, description="For one query")
    latency_seconds: float = Field(
        default=0.45, gt=0, description="A call that takes longer is slow; an edge of the histogram of call times"
    )
    history_seconds: int = Field(
        default=86_400, ge=0, description="How far before a step the stable revision's figures aim the test; 0 for none"
    )
    rules: Rules | None = Field(
        default=None, description="Error rates and margins of the decision, as JSON; those of rules.py when absent"
    )
    gitops_path: Path | None = Field(default=None, description="Folder for the patches of canaries in mode gitops")
    sink_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("K_SINK", "PROMOTE_SINK_URL"),
        description="Broker ingress; steps are not announced when absent",
    )
    max_bytes: int = Field(default=65_536, ge=1024, description="Largest request body, in bytes")
    log_level: str = "INFO"
