"""Put together who asks the detectors: adapters, breakers, health, hedges and versions, as the settings say."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from purgatory import AsyncCircuitBreakerFactory

from llama_mapper.chassis.settings import SettingsError
from llama_mapper.contracts.detection import DetectorHealth, DetectorInfo, HealthStatus
from llama_mapper.contracts.identifiers import DetectorId

from ..settings import Settings
from .asking import Asking
from .breakers import breakers
from .condition import DETECT, Pace
from .health import HealthMonitor
from .http_adapter import check_edition
from .http_detectors import HttpDetectors
from .model_servers import KServeModelServers
from .probes import Probe, connecting, probing, ready_url
from .served import Served
from .versions import Versions


@dataclass(frozen=True, slots=True)
class Detectors:
    """Those that are asked over HTTP, and how; candidates are not offered, they answer under another name."""

    served: Served
    model_servers: frozenset[str]
    http: tuple[DetectorInfo, ...]
    vocabularies: Mapping[DetectorId, DetectorId]
    vocabulary_versions: Mapping[DetectorId, str]
    alternatives: Mapping[str, tuple[str, ...]]
    asking: Asking


def breakers_of(settings: Settings) -> AsyncCircuitBreakerFactory:
    return breakers(
        _redis(settings),
        settings.breaker_failures,
        settings.breaker_window_seconds,
        settings.breaker_rest_seconds,
    )


def detectors(
    settings: Settings, client: httpx.AsyncClient, factory: AsyncCircuitBreakerFactory, http: HttpDetectors
) -> Detectors:
    """Raises SettingsError where a name stands for nothing, or a candidate speaks other words."""
    words = settings.model_vocabularies
    vocabularies = {name: name for name in settings.model_servers} | http.vocabularies
    borrowed = {DetectorId(name): DetectorId(one.vocabulary) for name, one in words.items()}
    _check(settings, vocabularies | borrowed)
    kserve = KServeModelServers(
        {name: str(url) for name, url in settings.model_servers.items()},
        client,
        {name: head for name, head in settings.model_heads.items()},  # noqa: C416 - another type of key
        factory,
        attempts=settings.detector_attempts,
        concurrency=settings.detector_concurrency,
    )
    candidates = {one.detector for rollout in settings.detector_versions.values() for one in rollout.candidates}
    pace = Pace(settings.health_seconds, settings.health_failures, settings.health_good)
    monitor = HealthMonitor(_probes(settings, client, http), pace, _redis(settings))
    key = settings.hmac_key.get_secret_value().encode() or secrets.token_bytes(32)
    return Detectors(
        served=Served(http, kserve, dict(settings.hedges)),
        model_servers=frozenset(settings.model_servers) - candidates,
        http=tuple(info for info in http.infos if info.id not in candidates),
        vocabularies=http.vocabularies | borrowed,
        vocabulary_versions=http.vocabulary_versions | {DetectorId(n): one.version for n, one in words.items()},
        alternatives={str(name): tuple(map(str, others)) for name, others in settings.alternatives.items()},
        asking=Asking(monitor, Versions(dict(settings.detector_versions), key)),
    )


def described(info: DetectorInfo, asking: Asking, *, embedded: bool) -> DetectorHealth:
    """How *info* is: as the probes find it, or those of the service that runs it."""
    condition = asking.health.condition(DETECT if embedded else info.id)
    status: HealthStatus = condition.status
    if status == "healthy" and not info.loaded:
        status = "loading"
    return DetectorHealth(
        id=info.id,
        version=info.version,
        status=status,
        since=condition.since,
        consecutive_failures=condition.failures,
        last_error=condition.last_error,
    )


def _redis(settings: Settings) -> str | None:
    return settings.redis_url.get_secret_value() if settings.redis_url else None


def _probes(settings: Settings, client: httpx.AsyncClient, http: HttpDetectors) -> dict[str, Probe]:
    probes: dict[str, Probe] = {DETECT: probing(client, settings.detect_url.rstrip("/") + "/health"), **http.probes}
    for name, url in settings.model_servers.items():
        ready = ready_url(str(url))
        probes[name] = probing(client, ready) if ready else connecting(str(url))
    return probes


def _check(settings: Settings, vocabularies: Mapping[DetectorId, DetectorId]) -> None:
    for name, words in settings.model_vocabularies.items():
        place = f"ORCHESTRATION_MODEL_VOCABULARIES: {name}"
        if name not in settings.model_servers:
            raise SettingsError(f"{place}: no model server has this name")
        check_edition(place, words.vocabulary, words.version, settings.vocabularies)
    if unknown := sorted(set(settings.hedges) - set(vocabularies)):
        raise SettingsError(f"ORCHESTRATION_HEDGES: {unknown[0]}: no model server or HTTP detector has this name")
    for name, rollout in settings.detector_versions.items():
        place = f"ORCHESTRATION_DETECTOR_VERSIONS: {name}"
        if name not in vocabularies:
            raise SettingsError(f"{place}: no model server or HTTP detector has this name")
        for one in rollout.candidates:
            if one.detector not in vocabularies or one.detector == name:
                raise SettingsError(f"{place}: {one.detector}: not another model server or HTTP detector")
            if one.detector in settings.detector_versions:
                raise SettingsError(f"{place}: {one.detector}: a candidate has no candidates")
            both_kserve = name in settings.model_servers and one.detector in settings.model_servers
            if not both_kserve and vocabularies[one.detector] != vocabularies[name]:
                raise SettingsError(f"{place}: {one.detector}: speaks another vocabulary")
