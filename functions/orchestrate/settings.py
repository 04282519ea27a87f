"""Settings of orchestrate, prefix ``ORCHESTRATION_``."""

from pathlib import Path
from typing import ClassVar

from pydantic import AliasChoices, Field, HttpUrl, IPvAnyNetwork, SecretStr
from pydantic_settings import SettingsConfigDict

from llama_mapper.chassis.settings import ServiceSettings
from llama_mapper.contracts.identifiers import AnyDetectorId, DetectorId
from llama_mapper.identity.tokens import Issuer

from .http_setup import HttpDetector
from .model_servers import Head

FOLDER = Path(__file__).parent


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(
        env_prefix="ORCHESTRATION_", frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True
    )
    folder: ClassVar[Path | None] = FOLDER

    detect_url: str = Field(default="http://127.0.0.1:8091", description="Base URL of detect")
    mapper_url: str = Field(default="http://127.0.0.1:8002", description="Base URL of the mapper's transformer")
    analyze_url: str = Field(default="http://127.0.0.1:8001", description="Base URL of analyze")
    sink_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("K_SINK", "ORCHESTRATION_SINK_URL"),
        description="Broker ingress; no events are sent when absent",
    )
    redis_url: SecretStr | None = Field(
        default=None, description="Keeps keys, limits, answers, and events while the broker is away"
    )
    policies: Path = Field(default=FOLDER.parents[1] / "policies", description="Folder of Rego policies and data.json")
    opa_url: str | None = Field(default=None, description="OPA server with the same policies; in process when absent")
    opa_timeout_seconds: float = Field(
        default=0.25, gt=0, description="Longest wait for OPA, then nothing is let through"
    )
    hmac_key: SecretStr = Field(default=SecretStr(""), description="Key of content hashes; empty sends no hash")
    pepper: SecretStr | None = Field(
        default=None, min_length=32, description="Makes API keys useless to who steals the store; no keys without it"
    )
    keyset: SecretStr | None = Field(
        default=None, description="tink keyset (JSON) that seals kept answers and second factors; neither without it"
    )
    issuers: tuple[Issuer, ...] = Field(default=(), description="OpenID providers whose tokens count")
    requests_per_minute: int = Field(default=600, ge=1, description="Of one key, person, or tenant without either")
    requests_per_minute_address: int = Field(default=120, ge=1, description="Of one address that says not who it is")
    requests_per_day: int | None = Field(default=None, ge=1, description="Of one tenant; no limit when absent")
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="Whose X-Forwarded-For counts; else the caller is who is connected"
    )
    model_servers: dict[AnyDetectorId, HttpUrl] = Field(
        default={}, description="Detector name -> KServe predict URL (…/v1/models/NAME:predict) that serves it"
    )
    model_heads: dict[AnyDetectorId, Head] = Field(
        default={}, description="Detector name -> the words behind the class indices that its server answers"
    )
    http_detectors: dict[AnyDetectorId, HttpDetector] = Field(
        default={}, description="Detector name -> the adapter, address and key of the JSON API behind it"
    )
    http_adapters: Path | None = Field(
        default=None, description="Folder of adapters of your own; one named as a ready one takes its place"
    )
    vocabularies: Path = Field(
        default=FOLDER.parents[1] / "inference-services" / "mapper" / "vocabularies",
        description="Folder that adapters' labels are checked against; where it is not there they are not",
    )
    stand_ins: dict[AnyDetectorId, AnyDetectorId] = Field(
        default={
            DetectorId("deberta"): DetectorId("tox-block"),
            DetectorId("deberta-toxicity"): DetectorId("tox-block"),
            DetectorId("deberta-prompt-injection"): DetectorId("minilm-injection"),
        },
        description="Detector name -> embedded detector that answers where no model server is configured",
    )
    deadline_seconds: float = Field(default=2.0, gt=0, description="Answer within, priority normal and high")
    deadline_critical_seconds: float = Field(default=1.0, gt=0)
    deadline_low_seconds: float = Field(default=5.0, gt=0)
    mapper_budget_seconds: float = Field(default=0.5, gt=0, description="Then labels are OTHER.Unknown, said so")
    detector_timeout_seconds: float = Field(default=5.0, gt=0)
    response_cache_seconds: int = Field(
        default=300, ge=0, description="A judgement of the same content is given again so long; 0 for never"
    )
    concurrency: int = Field(default=64, ge=4, description="Contents judged at once, at first; then as they keep time")
    batch_concurrency: int = Field(default=4, ge=1, description="Items of one batch judged at once")
    max_bytes: int = Field(
        default=1_048_576,
        ge=1024,
        description="Largest body of one request, in bytes; 50,000 characters as \\u escapes alone can take 600,000",
    )
    log_level: str = "INFO"
