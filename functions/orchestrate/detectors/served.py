"""Detectors that are asked over HTTP, by an adapter or by KServe's protocol, and twice where that is wanted."""

from collections.abc import Mapping

from llama_mapper.chassis import metrics
from llama_mapper.contracts.detection import DetectorReport
from llama_mapper.contracts.identifiers import DetectorId

from ..ports import ModelServers
from .hedging import Hedge, Hedging
from .http_detectors import HttpDetectors


class Served:
    """Asks the one of the two that knows a detector; *hedges* by its name."""

    def __init__(
        self, http: HttpDetectors, model_servers: ModelServers, hedges: Mapping[DetectorId, Hedge] | None = None
    ) -> None:
        self._http, self._model_servers = http, model_servers
        self._names = {info.id for info in http.infos}
        self._hedged = {name: _hedging(name, hedge) for name, hedge in (hedges or {}).items()}

    def plain(self) -> "Served":
        """The same without hedges."""
        return Served(self._http, self._model_servers)

    async def detect(self, detector: DetectorId, content: str, seconds: float) -> DetectorReport:
        asked: ModelServers = self._http if detector in self._names else self._model_servers
        if hedging := self._hedged.get(detector):
            return await hedging(lambda left: asked.detect(detector, content, left), seconds)
        return await asked.detect(detector, content, seconds)


def _hedging(name: DetectorId, hedge: Hedge) -> Hedging:
    return Hedging(hedge, lambda outcome: metrics.HEDGES.labels(name, outcome).inc())
