"""The Kubernetes API through the official client: every call blocks, and every failure is one of ``errors``.

Writes to an InferenceService are server-side applies of the few fields that a canary owns, under one field manager and
with the resourceVersion that was read: what has changed meanwhile is not overwritten (``Stale``), what others own is
not taken (``OwnedByOthers``) unless the caller says so.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_mapper.contracts import canaries
from llama_mapper.contracts.canaries import Canary, CanarySpec, CanaryStatus

from . import services
from .errors import AlreadyThere, ClusterError, Denied, NotAccepted, NotThere, OwnedByOthers, Stale, Unreachable
from .services import Service

if TYPE_CHECKING:
    from kubernetes.client import ApiClient
    from kubernetes.client.exceptions import ApiException

MANAGER = "llama-mapper-promote"
APPLY, MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
SECONDS = 10.0

_CANARIES = (canaries.GROUP, canaries.VERSION)
_SERVICES = (services.GROUP, services.VERSION)


class Cluster:
    """The objects of *namespace*; *client* carries address and credentials."""

    def __init__(self, client: "ApiClient", namespace: str, manager: str = MANAGER) -> None:
        from kubernetes.client import CustomObjectsApi

        self._api = CustomObjectsApi(client)
        self.namespace = namespace
        self._manager = manager

    @classmethod
    def of_pod(cls, namespace: str) -> "Cluster":
        """By the token of the pod's ServiceAccount, which the client reads again as it changes.

        Raises:
            Denied: this is no pod with a token.
        """
        return cls(client_of_pod(), namespace)

    @classmethod
    def of_person(cls, kubeconfig: Path | None, context: str | None, namespace: str | None) -> "Cluster":
        """As kubectl would: the kubeconfig's context, and its namespace unless one is named.

        Raises:
            Denied: there is no such kubeconfig or context.
        """
        from kubernetes.config import ConfigException, list_kube_config_contexts, new_client_from_config

        file = str(kubeconfig) if kubeconfig else None
        try:
            known, current = list_kube_config_contexts(config_file=file)
            chosen = next((one for one in known if one["name"] == context), None) if context else current
            if chosen is None:
                raise Denied(f"the kubeconfig has no context {context}")
            client = new_client_from_config(config_file=file, context=context)
        except (ConfigException, OSError, TypeError) as error:
            raise Denied("there is no kubeconfig that can be read") from error
        return cls(client, namespace or chosen["context"].get("namespace") or "llama-mapper")

    def service(self, name: str) -> Service:
        with in_our_words():
            return Service.of(self._get(_SERVICES, services.PLURAL, name))

    def canary(self, name: str) -> Canary:
        with in_our_words():
            return Canary.of(self._get(_CANARIES, canaries.PLURAL, name))

    def canaries(self) -> tuple[Canary, ...]:
        return self.listed()[0]

    def listed(self) -> tuple[tuple[Canary, ...], str]:
        """All canaries, and the resourceVersion from which a watch goes on."""
        with in_our_words():
            found: Any = self._api.list_namespaced_custom_object(
                *_CANARIES, self.namespace, canaries.PLURAL, _request_timeout=SECONDS
            )
            return tuple(Canary.of(body) for body in found["items"]), str(found["metadata"]["resourceVersion"])

    def watch(self, since: str, seconds: int) -> Iterator[tuple[str, Canary]]:
        """Changes after *since* for *seconds*: what happened (ADDED, MODIFIED, DELETED) and to what.

        Raises:
            Stale: *since* is too old; list again.
        """
        from kubernetes.watch import Watch

        with in_our_words():
            for event in Watch().stream(
                self._api.list_namespaced_custom_object,
                *_CANARIES,
                self.namespace,
                canaries.PLURAL,
                resource_version=since,
                timeout_seconds=seconds,
            ):
                yield event["type"], Canary.of(event["object"])

    def create(self, name: str, spec: CanarySpec) -> Canary:
        """Make the Canary; AlreadyThere where one of this name is."""
        body = _body(_CANARIES, canaries.KIND, name) | {"spec": spec.manifest()}
        with in_our_words():
            made: Any = self._api.create_namespaced_custom_object(
                *_CANARIES, self.namespace, canaries.PLURAL, body, field_manager=self._manager, _request_timeout=SECONDS
            )
            return Canary.of(made)

    def delete(self, canary: Canary) -> None:
        """Delete exactly this object, not a newer one of its name."""
        from kubernetes.client import V1DeleteOptions, V1Preconditions

        with in_our_words():
            self._api.delete_namespaced_custom_object(
                *_CANARIES,
                self.namespace,
                canaries.PLURAL,
                canary.name,
                body=V1DeleteOptions(preconditions=V1Preconditions(uid=canary.uid)),
                _request_timeout=SECONDS,
            )

    def amend(self, name: str, changes: dict[str, Any]) -> Canary:
        """Change fields of a Canary's spec; None removes one."""
        with in_our_words():
            done = self._patch(_CANARIES, canaries.PLURAL, name, {"spec": changes}, kind=MERGE)
            return Canary.of(done)

    def remember(self, canary: Canary, status: CanaryStatus) -> Canary:
        """Write the status of *canary* as it was read.

        Raises:
            Stale: another gate, or a person, was faster.
        """
        meta = {"name": canary.name, "namespace": self.namespace, "resourceVersion": canary.resource_version}
        body = {"apiVersion": "/".join(_CANARIES), "kind": canaries.KIND, "metadata": meta}
        with in_our_words():
            done: Any = self._api.replace_namespaced_custom_object_status(
                *_CANARIES,
                self.namespace,
                canaries.PLURAL,
                canary.name,
                body | {"spec": canary.spec.manifest(), "status": status.manifest()},
                field_manager=self._manager,
                _request_timeout=SECONDS,
            )
            return Canary.of(done)

    def turn(
        self, service: Service, percent: int | None, storage_uri: str, *, force: bool = False, dry_run: bool = False
    ) -> Service:
        """Give the candidate at *storage_uri* *percent* of the calls; None takes the field away, all calls are its.

        Args:
            force: take the fields from whoever owns them.
            dry_run: let the API server check, and change nothing.

        Raises:
            Stale: *service* has changed since it was read.
            OwnedByOthers: and *force* is off.
        """
        predictor: dict[str, Any] = {"model": {"storageUri": storage_uri}}
        if percent is not None:
            predictor["canaryTrafficPercent"] = percent
        body = _body(_SERVICES, services.KIND, service.name) | {"spec": {"predictor": predictor}}
        body["metadata"]["resourceVersion"] = service.resource_version
        with in_our_words():
            asked = {"force": force, "dry_run": "All" if dry_run else None}
            done = Service.of(self._patch(_SERVICES, services.PLURAL, service.name, body, kind=APPLY, **asked))
            if percent is None and done.percent is not None and not dry_run:
                # Somebody set the same value, and so owns the field too: an apply takes away only what is ours alone.
                gone = {
                    "metadata": {"resourceVersion": done.resource_version},
                    "spec": {"predictor": {"canaryTrafficPercent": None}},
                }
                done = Service.of(self._patch(_SERVICES, services.PLURAL, service.name, gone, kind=MERGE))
            return done

    def _get(self, kind: tuple[str, str], plural: str, name: str) -> Any:
        return self._api.get_namespaced_custom_object(*kind, self.namespace, plural, name, _request_timeout=SECONDS)

    def _patch(self, group: tuple[str, str], plural: str, name: str, body: Any, *, kind: str, **options: Any) -> Any:
        return self._api.patch_namespaced_custom_object(
            *group,
            self.namespace,
            plural,
            name,
            body,
            field_manager=self._manager,
            _content_type=kind,
            _request_timeout=SECONDS,
            **{key: value for key, value in options.items() if value},
        )


def client_of_pod() -> "ApiClient":
    """By the token of the pod's ServiceAccount, which the client reads again as it changes.

    Raises:
        Denied: this is no pod with a token.
    """
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.config import ConfigException, load_incluster_config

    configuration = Configuration()
    try:
        load_incluster_config(client_configuration=configuration)
    except ConfigException:
        raise Denied("no ServiceAccount token is mounted here") from None
    return ApiClient(configuration)


def _body(group: tuple[str, str], kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": "/".join(group), "kind": kind, "metadata": {"name": name}}


@contextmanager
def in_our_words() -> Iterator[None]:
    from kubernetes.client.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        raise _said(error) from None
    except (HTTPError, OSError) as error:
        raise Unreachable("the API server does not answer") from error


def _said(error: "ApiException") -> ClusterError:
    status = _document(error)
    causes = [cause for cause in status.get("details", {}).get("causes") or () if isinstance(cause, dict)]
    owners = [str(c.get("message", "")).split('"') for c in causes if c.get("reason") == "FieldManagerConflict"]
    if error.status == 409 and owners:
        return OwnedByOthers(tuple(dict.fromkeys(parts[1] for parts in owners if len(parts) > 1)))
    if error.status == 409 and status.get("reason") == "AlreadyExists":
        return AlreadyThere("an object of this name exists")
    known: dict[int, ClusterError] = {
        401: Denied("the API server does not know us: the credentials are missing or too old"),
        403: Denied("the API server forbids it: the Role lacks a right"),
        404: NotThere("there is no such object, or the CRD is not installed"),
        409: Stale("the object has changed meanwhile"),
        410: Stale("the resourceVersion is too old"),
        422: NotAccepted("the API server refuses the object as not valid"),
        400: NotAccepted("the API server refuses the request as not valid"),
    }
    return known.get(error.status or 0, Unreachable(f"the API server answered {error.status}"))


def _document(error: "ApiException") -> dict[str, Any]:
    try:
        found = json.loads(error.body or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
