"""Put the adapters into the use case."""

import os

import httpx
from purgatory import AsyncCircuitBreakerFactory

from llama_mapper import __version__
from llama_mapper.chassis.settings import SettingsError
from llama_mapper.contracts.detection import DetectorHealth, DetectorInfo
from llama_mapper.contracts.mapping import Versions
from llama_mapper.contracts.problems import NotFound
from llama_mapper.taxonomy import current_version

from .adapters import AnalyzeService, DetectService, Hasher, MapperService, Outbox
from .http_detectors import HttpDetectors, Served
from .model_servers import KServeModelServers
from .opa import OpaPolicy
from .policy import RegoPolicy
from .ports import Deadlines
from .service import Orchestrator
from .settings import FOLDER, Settings
from .shedding import Shedding


def wire(
    settings: Settings, client: httpx.AsyncClient, breakers: AsyncCircuitBreakerFactory, outbox: Outbox
) -> Orchestrator:
    http = http_detectors(settings, client, breakers)
    kserve = KServeModelServers(
        {name: str(url) for name, url in settings.model_servers.items()},
        client,
        {name: head for name, head in settings.model_heads.items()},  # noqa: C416 - another type of key
    )
    return Orchestrator(
        policy=policy(settings),
        detect=DetectService(settings, client, breakers),
        model_servers=Served(http, kserve),
        mapper=MapperService(settings, client, breakers),
        analyze=AnalyzeService(settings, client, breakers),
        emit=outbox,
        hash=Hasher(settings.hmac_key.get_secret_value()),
        deadlines=Deadlines(
            normal_seconds=settings.deadline_seconds,
            critical_seconds=settings.deadline_critical_seconds,
            low_seconds=settings.deadline_low_seconds,
            mapper_seconds=settings.mapper_budget_seconds,
            detector_seconds=settings.detector_timeout_seconds,
        ),
        model_server_names=frozenset(settings.model_servers),
        stand_ins={name: str(stand_in) for name, stand_in in settings.stand_ins.items()},
        versions=Versions(taxonomy=current_version(), mapper=__version__),
        http_detectors=http.infos,
        vocabularies=http.vocabularies,
        load=Shedding(settings.concurrency),
    )


def http_detectors(
    settings: Settings, client: httpx.AsyncClient, breakers: AsyncCircuitBreakerFactory
) -> HttpDetectors:
    """The detectors behind vendors' APIs.

    Raises:
        SettingsError: an adapter is wrong, or a name stands in two settings.
    """
    if twice := sorted(set(settings.http_detectors) & set(settings.model_servers)):
        raise SettingsError(f"ORCHESTRATION_HTTP_DETECTORS: {twice[0]}: a model server has this name")
    folders = (FOLDER / "http_adapters", *((settings.http_adapters,) if settings.http_adapters else ()))
    return HttpDetectors(settings.http_detectors, client, breakers, folders, settings.vocabularies, os.environ)


def policy(settings: Settings) -> RegoPolicy:
    """The policies in this process, or those of the OPA server that the settings name."""
    if settings.opa_url:
        return OpaPolicy(settings.policies, settings.opa_url, settings.opa_timeout_seconds)
    return RegoPolicy(settings.policies)


async def detectors_of(orchestrator: Orchestrator) -> tuple[DetectorInfo, ...]:
    """Those that detect runs, and those behind vendors' APIs."""
    return (*await orchestrator.detect.known(), *orchestrator.http_detectors)


async def detector_health(orchestrator: Orchestrator, detector: str) -> DetectorHealth:
    """Say how *detector* is.

    Raises:
        NotFound: nobody offers it.
    """
    for info in await detectors_of(orchestrator):
        if info.id == detector:
            return DetectorHealth(id=info.id, version=info.version, status="healthy" if info.loaded else "loading")
    raise NotFound("no such detector; GET /api/v1/detectors lists them")
