"""/api/v1/detectors: an HTTP detector joins while the system runs.

The detector speaks detect's own contract: ``DetectRequest`` is posted to its address, ``DetectResponse`` comes back.
Or a ready adapter says how it is asked and read; then its address is what the adapter's path is appended to.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, SecretStr, StringConstraints, field_validator, model_validator

from .addresses import AbsolutePath, DetectorUrl
from .detection import DetectorInfo, Family
from .identifiers import AnyDetectorId
from .wire import Confidence, Token, Wire

Origin = Literal["static", "registered", "discovered"]
OptionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Number = Annotated[float, Field(ge=-1_000_000, le=1_000_000, allow_inf_nan=False)]
Option = bool | Number | Token | Annotated[tuple[Token, ...], Field(max_length=64)]
"""What an adapter's option can be: models, regions, classes and thresholds are words and numbers."""
MAX_KEY_CHARACTERS = 4096


class DetectorDefinition(Wire):
    """``(id, version)`` is stored with every finding, so neither may change its meaning once registered."""

    id: AnyDetectorId
    version: Token
    family: Family
    url: DetectorUrl
    vocabulary: AnyDetectorId | None = Field(
        default=None, description="Name of the vocabulary that maps its labels; an adapter may have one of its own"
    )
    vocabulary_version: Token = Field(
        default="unknown", description="Which of a vocabulary's editions; needed where there are several"
    )
    adapter: AnyDetectorId | None = Field(
        default=None, description="A ready adapter; without one the detector speaks detect's contract"
    )
    options: dict[OptionName, Option] = Field(default={}, max_length=16, description="Of the adapter")
    at_least: Confidence | None = Field(default=None, description="A threshold of scores, above the adapter's own")
    timeout_seconds: float = Field(default=5.0, gt=0, le=60, allow_inf_nan=False)
    connect_timeout_seconds: float = Field(default=1.0, gt=0, le=10, allow_inf_nan=False)
    concurrency: int = Field(default=8, ge=1, le=64, description="Calls at once, of each pod")
    weight: float = Field(default=1.0, gt=0, le=100, allow_inf_nan=False, description="In WEIGHTED coverage")
    health_path: AbsolutePath = Field(
        default="/health", description="Asked on the host of url where there is no adapter; 200 is healthy"
    )

    @model_validator(mode="after")
    def _mapped(self) -> "DetectorDefinition":
        if self.adapter is None and self.vocabulary is None:
            raise ValueError("vocabulary: whose labels are these?")
        if self.adapter is None and self.options:
            raise ValueError("options: only an adapter has them")
        return self


class RegisterDetectorRequest(DetectorDefinition):
    """POST /api/v1/detectors, PUT /api/v1/detectors/{id}."""

    api_key: SecretStr | None = Field(
        default=None,
        description="Sent to the detector (X-API-Key, or as its adapter says); kept sealed, never answered again",
    )

    @field_validator("api_key")
    @classmethod
    def _a_line(cls, key: SecretStr | None) -> SecretStr | None:
        said = key.get_secret_value() if key is not None else "key"
        if not 1 <= len(said) <= MAX_KEY_CHARACTERS or not said.isascii() or not said.isprintable() or " " in said:
            raise ValueError("a key is printable ASCII without spaces")
        return key

    @property
    def definition(self) -> DetectorDefinition:
        """All but the key."""
        return DetectorDefinition.model_validate(self.model_dump(exclude={"api_key"}))


class RegisteredDetector(DetectorDefinition):
    """The registration as it is kept; the key is not shown, only whether there is one."""

    has_api_key: bool = False
    for_all_tenants: bool = Field(default=False, description="Registered by the tenant `platform`")
    registered_at: AwareDatetime
    changed_at: AwareDatetime


class OfferedDetector(DetectorInfo):
    """A detector that can be asked for. Static: of this installation; discovered: a labelled Service in the cluster."""

    origin: Origin = "static"


class OfferedDetectors(Wire):
    """GET /api/v1/detectors."""

    detectors: tuple[OfferedDetector, ...]


class DescribedDetector(OfferedDetector):
    """GET /api/v1/detectors/{id}: ``registration`` is there for who may change it."""

    registration: RegisteredDetector | None = None
