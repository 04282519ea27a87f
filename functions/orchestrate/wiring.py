"""Put the adapters into the use case."""

import os

import httpx
from purgatory import AsyncCircuitBreakerFactory

from llama_mapper import __version__
from llama_mapper.chassis.sealing import WrongKeyset
from llama_mapper.chassis.settings import SettingsError
from llama_mapper.contracts.detection import DetectorHealth, DetectorInfo
from llama_mapper.contracts.identifiers import DetectorId
from llama_mapper.contracts.mapping import Versions
from llama_mapper.contracts.problems import NotFound
from llama_mapper.taxonomy import current_version

from .adapters import AnalyzeService, DetectService, Hasher, MapperService, Outbox
from .detectors.http_detectors import HttpDetectors
from .detectors.versions import UNSTATED
from .detectors.wiring import described, detectors
from .ports import Deadlines, Policies
from .redaction.redactor import Redactor
from .redaction.tokens import Hashes, Tokens
from .service import Orchestrator
from .settings import FOLDER, Settings
from .shedding import Shedding


def wire(
    settings: Settings,
    client: httpx.AsyncClient,
    breakers: AsyncCircuitBreakerFactory,
    outbox: Outbox,
    policies: Policies,
) -> Orchestrator:
    http = http_detectors(settings, client, breakers)
    asked = detectors(settings, client, breakers, http)
    return Orchestrator(
        policy=policies,
        detect=DetectService(settings, client, breakers),
        model_servers=asked.served,
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
        model_server_names=asked.model_servers,
        stand_ins={name: str(stand_in) for name, stand_in in settings.stand_ins.items()},
        versions=Versions(taxonomy=current_version(), mapper=__version__),
        http_detectors=asked.http,
        vocabularies=asked.vocabularies,
        vocabulary_versions=asked.vocabulary_versions,
        alternatives=asked.alternatives,
        asking=asked.asking,
        unhedged=asked.served.plain(),
        load=Shedding(settings.concurrency),
        redactor=redactor(settings),
    )


def redactor(settings: Settings) -> Redactor:
    """Masks always; hashes and tokens where there are keys for them.

    Raises:
        SettingsError: the keyset is none of AES-SIV.
    """
    key = settings.hmac_key.get_secret_value().encode()
    try:
        tokens = Tokens(settings.token_keyset.get_secret_value()) if settings.token_keyset else None
    except WrongKeyset as error:
        raise SettingsError(f"ORCHESTRATION_TOKEN_KEYSET: {error}") from None
    return Redactor(Hashes(key) if key else None, tokens)


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


async def detectors_of(orchestrator: Orchestrator) -> tuple[DetectorInfo, ...]:
    """Those that detect runs, model servers, and those behind vendors' APIs, each with how it is."""
    return tuple(
        info.model_copy(update={"status": described(info, orchestrator.asking, embedded=embedded).status})
        for info, embedded in await _known(orchestrator)
    )


async def _known(orchestrator: Orchestrator) -> list[tuple[DetectorInfo, bool]]:
    """Each with whether detect runs it."""
    embedded = await orchestrator.detect.known()
    served = [
        DetectorInfo(id=DetectorId(name), version=UNSTATED, family="classifiers", loaded=True)
        for name in sorted(orchestrator.model_server_names)
    ]
    return [*((info, True) for info in embedded), *((info, False) for info in (*served, *orchestrator.http_detectors))]


async def detector_health(orchestrator: Orchestrator, detector: str) -> DetectorHealth:
    """Say how *detector* is.

    Raises:
        NotFound: nobody offers it.
    """
    for info, embedded in await _known(orchestrator):
        if info.id == detector:
            return described(info, orchestrator.asking, embedded=embedded)
    raise NotFound("no such detector; GET /api/v1/detectors lists them")
