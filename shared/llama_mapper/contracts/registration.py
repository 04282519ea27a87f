"""POST /api/v1/detectors: an HTTP detector joins while the system runs.

The detector speaks detect's own contract: ``DetectRequest`` is posted to its address, ``DetectResponse`` comes back.
"""

from pydantic import AwareDatetime, Field

from .addresses import AbsolutePath, ServiceUrl
from .detection import Family
from .identifiers import AnyDetectorId
from .wire import Token, Wire


class RegisterDetectorRequest(Wire):
    """``(id, version)`` is stored with every finding, so neither may change its meaning once registered."""

    id: AnyDetectorId
    version: Token
    family: Family
    url: ServiceUrl
    vocabulary: AnyDetectorId = Field(description="Name of the vocabulary that maps its labels")
    timeout_seconds: float = Field(default=5.0, gt=0, le=60, allow_inf_nan=False)
    connect_timeout_seconds: float = Field(default=1.0, gt=0, le=10, allow_inf_nan=False)
    weight: float = Field(default=1.0, gt=0, le=100, allow_inf_nan=False, description="In WEIGHTED coverage")
    health_path: AbsolutePath = Field(default="/health", description="Asked on the host of url; 200 is healthy")


class RegisteredDetector(RegisterDetectorRequest):
    """The answer, 201: the registration as it is kept."""

    registered_at: AwareDatetime
