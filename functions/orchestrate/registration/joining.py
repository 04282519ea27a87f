"""Wire what joins while the system runs: registrations where Redis and a keyset are, discovery where it is wanted."""

from dataclasses import dataclass

from purgatory import AsyncCircuitBreakerFactory
from redis.asyncio import Redis

from llama_mapper.chassis.sealing import Sealer

from ..service import Orchestrator
from ..settings import FOLDER, Settings
from .discovery import Discovery, Services
from .joined import Joined
from .outbound import Guard, GuardedTransport
from .registered_detector import Workshop
from .registering import Registering
from .registrations import RedisRegistrations


@dataclass(frozen=True, slots=True)
class Joining:
    joined: Joined
    registering: Registering | None
    discovery: Discovery | None
    transport: GuardedTransport

    def start(self) -> None:
        if self.discovery is not None:
            self.discovery.start()

    async def aclose(self) -> None:
        if self.discovery is not None:
            self.discovery.stop()
        await self.transport.aclose()


def wire_joining(
    settings: Settings, orchestrator: Orchestrator, redis: "Redis | None", breakers: AsyncCircuitBreakerFactory
) -> Joining:
    guard = Guard(settings.detector_networks)
    transport = GuardedTransport(guard)
    folders = (FOLDER / "http_adapters", *((settings.http_adapters,) if settings.http_adapters else ()))
    workshop = Workshop(transport, folders, settings.vocabularies, breakers)
    keyset = settings.keyset.get_secret_value() if settings.keyset else None
    store = RedisRegistrations(redis, Sealer(keyset)) if redis is not None and keyset else None
    namespace = settings.discovery_namespace
    discovery = Discovery(lambda: _services(namespace), workshop) if namespace else None
    joined = Joined(store, workshop, discovery.current if discovery else dict)
    registering = (
        Registering(
            store,
            joined,
            workshop,
            guard,
            orchestrator.taken,
            settings.detector_namespaces,
            settings.detectors_per_tenant,
        )
        if store
        else None
    )
    return Joining(joined, registering, discovery, transport)


def _services(namespace: str) -> Services:
    from llama_mapper.cluster.detectors import DetectorServices

    return DetectorServices.of_pod(namespace)
