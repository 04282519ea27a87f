"""Services of one namespace that are labelled as detectors, by the Kubernetes API; every call blocks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from llama_mapper.contracts.wire import Wire

from .api import SECONDS, client_of_pod, in_our_words

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

LABEL = "llama-mapper.io/detector"
SELECTOR = f"{LABEL}=true"
PREFIX = "llama-mapper.io/"


class DetectorService(Wire):
    """What of a Service says which detector is behind it; ``said`` are our annotations, without their prefix."""

    name: str
    namespace: str
    created: str
    kind: str
    ports: tuple[int, ...]
    said: dict[str, str]

    @classmethod
    def of(cls, service: Any) -> "DetectorService":
        meta, spec = service.metadata, service.spec
        annotations = meta.annotations or {}
        return cls(
            name=meta.name,
            namespace=meta.namespace,
            created=meta.creation_timestamp.isoformat(),
            kind=spec.type or "ClusterIP",
            ports=tuple(port.port for port in spec.ports or ()),
            said={k.removeprefix(PREFIX): v for k, v in annotations.items() if k.startswith(PREFIX)},
        )


class DetectorServices:
    """*client* carries address and credentials.

    Raises (all methods): ClusterError, one of ``errors``.
    """

    def __init__(self, client: "ApiClient", namespace: str) -> None:
        from kubernetes.client import CoreV1Api

        self._api = CoreV1Api(client)
        self._namespace = namespace

    @classmethod
    def of_pod(cls, namespace: str) -> "DetectorServices":
        return cls(client_of_pod(), namespace)

    def listed(self) -> tuple[tuple[DetectorService, ...], str]:
        """All of them, and the resourceVersion from which a watch goes on."""
        with in_our_words():
            found = self._api.list_namespaced_service(
                self._namespace, label_selector=SELECTOR, _request_timeout=SECONDS
            )
            return tuple(DetectorService.of(one) for one in found.items), str(
                found.metadata.resource_version if found.metadata else ""
            )

    def watch(self, since: str, seconds: int) -> Iterator[tuple[str, DetectorService]]:
        """Changes after *since* for *seconds*: ADDED, MODIFIED or DELETED (also where the label is gone), and what.

        Raises:
            Stale: *since* is too old; list again.
        """
        from kubernetes.watch import Watch

        with in_our_words():
            for event in Watch().stream(
                self._api.list_namespaced_service,
                self._namespace,
                label_selector=SELECTOR,
                resource_version=since,
                timeout_seconds=seconds,
                _request_timeout=seconds + SECONDS,
            ):
                yield event["type"], DetectorService.of(event["object"])
