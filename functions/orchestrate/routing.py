"""From what the caller and the policy name to the detectors that run: ids, families, model servers, stand-ins."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from llama_mapper.contracts.detection import DetectorInfo, DetectorReport, Family
from llama_mapper.contracts.identifiers import DetectorId
from llama_mapper.contracts.problems import FieldError, InvalidRequest

from .ports import ModelServers, OwnDetectors


@dataclass(frozen=True, slots=True)
class Route:
    """One detector to run; *stands_in* where an embedded one answers for a model server.

    Family and version are what is said of it while it does not answer.
    """

    asked: DetectorId
    detector: DetectorId
    model_server: bool = False
    stands_in: bool = False
    family: Family = "classifiers"
    version: str = "unknown"
    alternatives: tuple["Route", ...] = ()
    """Who is asked where it does not answer, one after the other."""
    candidate: DetectorId | None = None
    """Another version of it, which this content goes to, or which is compared where it is a *shadow*."""
    shadow: bool = False

    def without(self, excluded: Collection[str]) -> "Route":
        return replace(self, alternatives=tuple(one for one in self.alternatives if one.detector not in excluded))


@dataclass(frozen=True, slots=True)
class Directory:
    """Who can be asked."""

    embedded: tuple[DetectorInfo, ...]
    model_servers: frozenset[str]
    stand_ins: Mapping[str, str]
    http: tuple[DetectorInfo, ...] = ()
    alternatives: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def available(self) -> list[str]:
        return sorted({d.id for d in (*self.embedded, *self.http)} | self.model_servers)

    def routes(self, names: Iterable[str], field: str) -> tuple[Route, ...]:
        """Resolve ids and families, each detector once, in the order named.

        Raises:
            InvalidRequest: a name is neither; the field and the names that exist are told, not the caller's word.
        """
        routes: dict[str, Route] = {}
        for index, name in enumerate(names):
            for route in self._resolve(name, f"{field}.{index}"):
                routes.setdefault(route.detector, self._with_alternatives(route))
        return tuple(routes.values())

    def _with_alternatives(self, route: Route) -> Route:
        """Those that the settings name, then the stand-in; the ones that exist."""
        named = [*self.alternatives.get(route.detector, ()), self.stand_ins.get(route.detector, "")]
        known = [name for name in dict.fromkeys(named) if name in self.available and name != route.detector]
        found = [replace(self._resolve(name, "alternatives")[0], asked=route.asked, stands_in=True) for name in known]
        return replace(route, alternatives=tuple(found))

    def _resolve(self, name: str, place: str) -> list[Route]:
        asked = DetectorId(name)
        if name in self.model_servers:
            return [Route(asked, asked, model_server=True)]
        if served := [_served(info, asked) for info in self.http if info.id == name]:
            return served
        by_id = {d.id: d for d in self.embedded}
        if info := by_id.get(asked):
            return [_embedded(asked, info)]
        if info := by_id.get(DetectorId(self.stand_ins.get(name, ""))):
            return [_embedded(asked, info, stands_in=True)]
        family = [_embedded(asked, info) for info in self.embedded if info.family == name]
        if family := [*family, *(_served(info, asked) for info in self.http if info.family == name)]:
            return family
        message = "no such detector or family; GET /api/v1/detectors lists them"
        raise InvalidRequest(f"check: {place}", errors=(FieldError(field=place, message=message),))


class Beside:
    """Model servers, and beside them a tenant's own detectors, which are asked the same way."""

    def __init__(self, configured: ModelServers, own: OwnDetectors) -> None:
        self._configured, self._own = configured, own
        self._names = {info.id for info in own.infos}

    async def detect(self, detector: DetectorId, content: str, seconds: float) -> DetectorReport:
        asked: ModelServers = self._own if detector in self._names else self._configured
        return await asked.detect(detector, content, seconds)


def _served(info: DetectorInfo, asked: DetectorId) -> Route:
    return Route(asked, info.id, model_server=True, family=info.family, version=info.version)


def _embedded(asked: DetectorId, info: DetectorInfo, *, stands_in: bool = False) -> Route:
    return Route(asked, info.id, stands_in=stands_in, family=info.family, version=info.version)
