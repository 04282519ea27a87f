"""Settings of orchestrate, prefix ``ORCHESTRATION_``."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AliasChoices, Field, HttpUrl, IPvAnyNetwork, SecretStr, StringConstraints
from pydantic_settings import SettingsConfigDict

from llama_mapper.chassis.settings import ServiceSettings
from llama_mapper.contracts.identifiers import AnyDetectorId, DetectorId
from llama_mapper.contracts.policies import BundleReference
from llama_mapper.identity.tokens import Issuer

from .detectors.hedging import Hedge
from .detectors.http_setup import HttpDetector
from .detectors.model_servers import Head, Words
from .detectors.versions import Rollout

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
    policies: Path = Field(
        default=FOLDER.parents[1] / "policies", description="Folder of Rego policies and data.json, or a bundle file"
    )
    policy_bundle: BundleReference | None = Field(
        default=None, description="Bundle of the store (platform/decision:2026.11) in place of the folder"
    )
    policy_store: str | None = Field(
        default=None, description="Bundle store, a folder or s3://bucket/prefix; nothing is validated without"
    )
    policy_reload_seconds: float = Field(
        default=5.0, ge=0, description="How often the policies are looked at again; 0 never"
    )
    record_url: str | None = Field(default=None, description="Base URL of record, for dry runs; none without")
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
    model_vocabularies: dict[AnyDetectorId, Words] = Field(
        default={}, description="Model server -> the vocabulary whose words it speaks, where that has another name"
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
    flags: Path | None = Field(
        default=FOLDER / "flags.json", description="Feature flags, a flagd file, read again when it changes"
    )
    detector_namespaces: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,63}$")], ...] = Field(
        default=(), description="Whose Services a tenant may register; the tenant `platform` may any"
    )
    detector_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="Private networks in which registered detectors may be"
    )
    discovery_namespace: str | None = Field(
        default=None, description="Where labelled Services are detectors; nothing is discovered when absent"
    )
    detectors_per_tenant: int = Field(default=20, ge=1, le=1000, description="Registered by one tenant")
    stand_ins: dict[AnyDetectorId, AnyDetectorId] = Field(
        default={
            DetectorId("deberta"): DetectorId("tox-block"),
            DetectorId("deberta-toxicity"): DetectorId("tox-block"),
            DetectorId("deberta-prompt-injection"): DetectorId("minilm-injection"),
        },
        description="Detector name -> embedded detector that answers where no model server is configured",
    )
    alternatives: dict[AnyDetectorId, tuple[AnyDetectorId, ...]] = Field(
        default={}, description="Detector name -> who is asked in its place where it fails or is out of rotation"
    )
    hedges: dict[AnyDetectorId, Hedge] = Field(
        default={}, description="Model server or HTTP detector -> when a slow call is made a second time"
    )
    detector_versions: dict[AnyDetectorId, Rollout] = Field(
        default={}, description="Detector name -> candidates for its place and their shares of the content"
    )
    detector_concurrency: int = Field(
        default=64, ge=1, le=4096, description="Calls at once to detect and to each model server, of each replica"
    )
    detector_attempts: int = Field(default=3, ge=1, le=10, description="Of a call to detect or to a model server")
    breaker_failures: int = Field(default=5, ge=1, description="In a row, and within the window, that open a breaker")
    breaker_window_seconds: float = Field(default=60.0, gt=0, description="Older failures do not count")
    breaker_rest_seconds: float = Field(default=30.0, gt=0, description="Then a call is let through again")
    health_seconds: float = Field(default=30.0, gt=0, description="Between two probes of a detector")
    health_failures: int = Field(default=3, ge=1, description="Probes in a row that take a detector out of rotation")
    health_good: int = Field(default=3, ge=1, description="Good probes in a row that bring it back")
    deadline_seconds: float = Field(default=2.0, gt=0, description="Answer within, priority normal and high")
    deadline_critical_seconds: float = Field(default=1.0, gt=0)
    deadline_low_seconds: float = Field(default=5.0, gt=0)
    deadline_async_seconds: float = Field(default=30.0, gt=0, description="Of a job, from its beginning")
    job_concurrency: int = Field(default=4, ge=0, le=64, description="Jobs run at once; 0 where others run them")
    job_attempts: int = Field(default=3, ge=1, description="How often a job is begun whose worker ends")
    job_lease_seconds: float = Field(
        default=15.0, ge=2, description="After it, what a dead worker held is run by another"
    )
    job_kept_seconds: int = Field(default=86_400, ge=60, description="Life of a job and of its sealed result")
    job_content_seconds: int = Field(default=3_600, ge=60, description="Longest life of a job's sealed content")
    jobs_per_tenant: int = Field(default=1_000, ge=1, description="That may wait or run at once")
    callback_hosts: dict[str, tuple[str, ...]] = Field(
        default={}, description="Tenant, or * -> hosts (*.example.org) its callbacks may go to; any public one else"
    )
    callback_ports: tuple[int, ...] = Field(default=(443,), description="That callbacks may go to")
    callback_loopback: bool = Field(default=False, description="Callbacks over http to this machine: on a laptop")
    callback_attempts: int = Field(default=5, ge=1, le=12, description="Sendings of one callback at most")
    callback_pause_seconds: float = Field(
        default=15.0, gt=0, description="After the first sending; three times as long after each further one"
    )
    mapper_budget_seconds: float = Field(default=0.5, gt=0, description="Then labels are OTHER.Unknown, said so")
    detector_timeout_seconds: float = Field(default=5.0, gt=0)
    response_cache_seconds: int = Field(
        default=300, ge=0, description="A judgement of the same content is given again so long; 0 for never"
    )
    concurrency: int = Field(default=64, ge=4, description="Contents judged at once, at first; then as they keep time")
    batch_concurrency: int = Field(default=4, ge=1, description="Items of one batch judged at once")
    streams: int = Field(default=32, ge=1, description="Streams judged at once")
    stream_least_characters: int = Field(
        default=120, ge=1, description="New characters that are judged, from the first sentence's end after them on"
    )
    stream_most_characters: int = Field(default=400, ge=50, description="New ones judged without a sentence's end")
    stream_overlap_characters: int = Field(
        default=200, ge=0, description="Shared by two windows; whatever is no longer is found wherever it is cut"
    )
    stream_max_characters: int = Field(default=200_000, ge=1000, description="Of one stream")
    stream_idle_seconds: float = Field(default=30.0, gt=0, description="Longest wait for more of a stream")
    stream_seconds: float = Field(default=600.0, gt=0, description="Longest life of a stream")
    token_keyset: SecretStr | None = Field(
        default=None, description="tink keyset (JSON, AES-SIV) that makes and turns back tokens; no tokens without it"
    )
    max_bytes: int = Field(
        default=1_048_576,
        ge=1024,
        description="Largest body of one request, in bytes; 50,000 characters as \\u escapes alone can take 600,000",
    )
    log_level: str = "INFO"
