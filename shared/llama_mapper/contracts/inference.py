"""KServe's V1 prediction protocol, as far as the mapper speaks it."""

from pydantic import Field

from .mapping import MapBatchItem, MapRequest
from .wire import Wire


class PredictV1Request(Wire):
    """POST /v1/models/mapper:predict."""

    instances: tuple[MapRequest, ...] = Field(min_length=1, max_length=500)


class PredictV1Response(Wire):
    predictions: tuple[MapBatchItem, ...]
