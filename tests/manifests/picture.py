"""The picture's edges, computed: who calls whom, as settings, Triggers, storage addresses and bindings say.

docs/architecture.md draws them. What no manifest says is declared here: the platform's own calls, and where the stores
behind two Secrets are.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .objects import Bundle, Object, dig, rows
from .parties import DNS, EVENTING, GATEWAY, INTERNET, ISTIOD, MEASURED, QUEUE_PROXY, SERVING, Party, elsewhere, ours

# (Secret, key) of an address: the store's pods and port, and its port where it is outside of the cluster.
STORES: Mapping[tuple[str, str], tuple[str, str, str]] = {
    ("redis", "url"): ("redis", "TCP/6379", "TCP/6379"),
    ("clickhouse", "dsn"): ("clickhouse", "TCP/8123", "TCP/8443"),
}
BROKER_INGRESS = frozenset({"TCP/80", "TCP/8080"})
# istio-ingressgateway serves Knative's cluster-local hosts on 8081; its Service's port is 80.
LOCAL_GATEWAY = frozenset({"TCP/80", "TCP/8081"})
LLM_PORT, SOLVER_PORT, AMQP = "TCP/8000", "TCP/8089", "TCP/5672"
API_PORTS = frozenset({"TCP/443", "TCP/6443"})
ANYONE = Party("anyone")
EVERY_PORT = "every port"
_URL = re.compile(r"(https?)://([a-z0-9][a-z0-9.-]*)(?::(\d+))?(/[^\s\"',]*)?")


@dataclass(frozen=True, slots=True)
class Edge:
    """*caller* opens connections to *callee* on *ports*, because of a field of *owner*."""

    caller: Party
    callee: Party
    ports: frozenset[str]
    owner: Object = field(hash=False)
    at: str
    operations: frozenset[tuple[str, str]] = frozenset()
    """(method, path) where the edge is narrower than all of them."""

    def __str__(self) -> str:
        narrowed = "".join(f", {method} {path}" for method, path in sorted(self.operations))
        return f"{self.caller.name} -> {self.callee.name} ({' '.join(sorted(self.ports))}{narrowed})"


class Picture:
    """The edges of one set."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.ours = ours(bundle)

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        found = (self._platform, self._addresses, self._secrets, self._models, self._events, self._door, self._measures,
                 self._bindings, self._large)  # fmt: skip
        return tuple(dict.fromkeys(edge for part in found for edge in part()))

    def _named(self, name: str) -> Iterator[Party]:
        return (party for party in self.ours if party.name == name)

    # what every pod needs

    def _platform(self) -> Iterator[Edge]:
        for party in self.ours:
            owner = _owner(party)
            yield Edge(party, DNS, frozenset({"TCP/53", "UDP/53"}), owner, "metadata.name")
            if party.meshed:
                yield Edge(party, ISTIOD, frozenset({"TCP/15012"}), owner, "metadata.name")
            if party.knative:
                yield Edge(SERVING, party, QUEUE_PROXY | {MEASURED}, owner, "metadata.name")

    # HTTP by address

    def _addresses(self) -> Iterator[Edge]:
        for party in self.ours:
            for at, text in _texts(party):
                for scheme, host, port, _ in _URL.findall(text):
                    yield from self.call(party, host, port or ("443" if scheme == "https" else "80"), _owner(party), at)

    def call(
        self, caller: Party, host: str, port: str, owner: Object, at: str,
        operations: frozenset[tuple[str, str]] = frozenset(),
    ) -> Iterator[Edge]:  # fmt: skip
        """The connections that a request to HOST:PORT opens."""
        name, _, rest = host.removesuffix(".cluster.local").removesuffix(".svc").partition(".")
        if name in ("localhost", "127") or not owner.namespace:
            return
        if rest and rest != owner.namespace:
            in_cluster = host.endswith((".svc", ".cluster.local")) or "." not in rest
            if rest == EVENTING.name:
                yield Edge(caller, EVENTING, BROKER_INGRESS, owner, at)
            elif in_cluster:
                yield Edge(caller, elsewhere(rest), frozenset({f"TCP/{port}"}), owner, at)
            else:
                yield Edge(caller, INTERNET, frozenset({f"TCP/{port}"}), owner, at)
        elif service := self.bundle.find("Service", "", name):
            for callee, target in self._selected(service, port):
                yield Edge(caller, callee, frozenset({f"TCP/{target}"}), owner, at, operations)
        elif self.bundle.find("InferenceService", "serving.kserve.io", name):
            # KServe routes the service's own name through the local gateway (ingress_reconciler.go).
            yield Edge(caller, GATEWAY, LOCAL_GATEWAY, owner, at)
            for callee in (*self._named(f"{name}-transformer"), *self._named(f"{name}-predictor"))[:1]:
                yield Edge(GATEWAY, callee, QUEUE_PROXY, owner, at, operations)
        else:
            yield from self._pods_behind(caller, name, port, owner, at, operations)

    def _pods_behind(
        self, caller: Party, name: str, port: str, owner: Object, at: str, operations: frozenset[tuple[str, str]]
    ) -> Iterator[Edge]:
        for callee in self.ours:
            if callee.knative and callee.name == name:
                # The mesh's route of a Knative Service leads to its pods, or to the activator in front of them.
                yield Edge(caller, callee, QUEUE_PROXY, owner, at, operations)
                if caller is not SERVING and caller.pod:
                    yield Edge(caller, SERVING, QUEUE_PROXY, owner, at)
            elif f"{callee.name}-collector" == name:
                yield Edge(caller, callee, frozenset({f"TCP/{port}"}), owner, at, operations)
            elif f"{callee.name}-kserve-workload-svc" == name:
                yield Edge(caller, callee, frozenset({LLM_PORT}), owner, at, operations)
            elif name.endswith("-broker-ingress") and callee.name == "broker ingress":
                yield Edge(caller, callee, frozenset({"TCP/8080"}), owner, at, operations)

    def _selected(self, service: Object, port: str) -> Iterator[tuple[Party, Any]]:
        wanted = service.map("spec", "selector").items()
        for _, row in rows(service.get("spec", "ports")):
            if str(row.get("port")) == port:
                for party in self.ours:
                    if wanted <= party.labels.items():
                        yield party, _number(party, row.get("targetPort", row.get("port")))

    # stores

    def _secrets(self) -> Iterator[Edge]:
        for party in self.ours:
            for at, container in party.pod.containers() if party.pod else ():
                for n, row in rows(container.get("env")):
                    ref = dig(row, "valueFrom", "secretKeyRef") or {}
                    if store := STORES.get((str(ref.get("name")), str(ref.get("key")))):
                        name, inside, outside = store
                        there = next(self._named(name), None)
                        where = f"{at}.env[{n}].valueFrom.secretKeyRef.name"
                        ports = frozenset({inside if there else outside})
                        yield Edge(party, there or INTERNET, ports, _owner(party), where)

    def _models(self) -> Iterator[Edge]:
        """KServe's storage initializer fetches inside the pod, from where its account's Secret says."""
        for party in self.ours:
            for at, uri in _storages(party):
                if uri.startswith("s3://"):
                    host, _, port = self._endpoint(party).partition(":")
                    yield from self.call(party, host, port or "443", _owner(party), at)

    def _endpoint(self, party: Party) -> str:
        account = self.bundle.find("ServiceAccount", "", party.account)
        for _, row in rows(account.get("secrets") if account else None):
            name = str(row.get("name"))
            secret = self.bundle.find("Secret", "", name)
            external = self.bundle.find("ExternalSecret", "external-secrets.io", name)
            kept = external.map("spec", "target", "template", "metadata", "annotations") if external else {}
            told = secret.annotations() if secret else kept
            if endpoint := told.get("serving.kserve.io/s3-endpoint"):
                return str(endpoint)
        return "s3.amazonaws.com"

    # events

    def _events(self) -> Iterator[Edge]:
        dispatchers = list(self._named("broker dispatcher"))
        brokers = dispatchers or [EVENTING]
        for trigger in self.bundle.of("Trigger", "eventing.knative.dev"):
            yield from self._delivered(brokers, trigger, "spec", "subscriber")
        for source in self.bundle.of("PingSource", "sources.knative.dev"):
            yield from self._delivered([EVENTING], source, "spec", "sink")
        for broker in self.bundle.of("Broker", "eventing.knative.dev"):
            yield from self._delivered(brokers, broker, "spec", "delivery", "deadLetterSink")
            for dispatcher in dispatchers:
                for ingress in self._named("broker ingress"):
                    # Replies re-enter.
                    yield Edge(dispatcher, ingress, frozenset({"TCP/8080"}), broker, "spec.config")
        for binding in self.bundle.of("SinkBinding", "sources.knative.dev"):
            for party in self._named(str(binding.get("spec", "subject", "name"))):
                for sink in (*self._named("broker ingress"), EVENTING)[:1]:
                    ports = frozenset({"TCP/8080"}) if sink.pod else BROKER_INGRESS
                    yield Edge(party, sink, ports, binding, "spec.sink.ref.name")
        for config in self.bundle.of("RabbitmqBrokerConfig", "eventing.knative.dev"):
            there = elsewhere(str(config.get("spec", "rabbitmqClusterReference", "namespace")))
            for party in (*dispatchers, *self._named("broker ingress")):
                yield Edge(party, there, frozenset({AMQP}), config, "spec.rabbitmqClusterReference.namespace")

    def _delivered(self, brokers: list[Party], one: Object, *at: str) -> Iterator[Edge]:
        ref, uri = one.map(*at, "ref"), str(one.get(*at, "uri") or "/")
        if not ref and not uri.startswith("http"):
            return
        host, port, path = (str(ref.get("name")), "80", uri) if ref else _URL.findall(uri)[0][1:]
        for broker in brokers:
            operations = frozenset({("POST", path or "/")})
            yield from self.call(broker, host, port or "80", one, ".".join(at), operations)

    # people and platform

    def _door(self) -> Iterator[Edge]:
        """A Knative Service that is not cluster-local has a host at the gateway; a challenge's solver gets a path."""
        local = "networking.knative.dev/visibility"
        for party in self.ours:
            owner = _owner(party)
            if party.knative and owner.get("metadata", "labels", local) != "cluster-local":
                yield Edge(GATEWAY, party, QUEUE_PROXY, owner, f"metadata.labels[{local}]")
            if party.name == "certificate solver":
                yield Edge(GATEWAY, party, frozenset({SOLVER_PORT}), owner, "spec.acme.solvers[0].http01")

    def _measures(self) -> Iterator[Edge]:
        for collector in self.bundle.of("OpenTelemetryCollector", "opentelemetry.io"):
            for party in (party for party in self.ours if party.pod and party.pod.owner is collector):
                for name, exporter in collector.map("spec", "config", "exporters").items():
                    host, _, port = re.sub(r"^https?://|/.*$", "", str(dig(exporter, "endpoint") or "")).partition(":")
                    if host:
                        yield from self.call(party, host, port, collector, f"spec.config.exporters.{name}.endpoint")
                if collector.get("spec", "config", "receivers", "prometheus"):
                    for step in (step for step in self.ours if step.knative):
                        ports, asked = step.ports or frozenset({"TCP/8080"}), frozenset({("GET", "/metrics")})
                        yield Edge(party, step, ports, collector, "spec.config.receivers.prometheus", asked)

    def _bindings(self) -> Iterator[Edge]:
        """An account with a role asks the API server, whose addresses differ from cluster to cluster."""
        for kind in ("RoleBinding", "ClusterRoleBinding"):
            for binding in self.bundle.of(kind, "rbac.authorization.k8s.io"):
                bound = {row.get("name") for _, row in rows(binding.get("subjects"))}
                for party in (party for party in self.ours if party.account in bound):
                    yield Edge(party, ANYONE, API_PORTS, binding, "roleRef.name")

    def _large(self) -> Iterator[Edge]:
        """The nodes of one model talk to each other on ports of their choice."""
        for party in self.ours:
            if party.pod and party.pod.owner.kind == "LLMInferenceService" and party.pod.owner.get("spec", "worker"):
                yield Edge(party, party, frozenset({EVERY_PORT}), party.pod.owner, "spec.worker")


def _owner(party: Party) -> Object:
    assert party.pod is not None
    return party.pod.owner


def _texts(party: Party) -> Iterator[tuple[str, str]]:
    for at, container in party.pod.containers() if party.pod else ():
        yield from ((f"{at}.env[{n}].value", str(row.get("value") or "")) for n, row in rows(container.get("env")))
        yield from ((f"{at}.args[{n}]", str(word)) for n, word in enumerate(container.get("args") or ()))


def _storages(party: Party) -> Iterator[tuple[str, str]]:
    pod = party.pod
    if pod is None:
        return
    model = pod.spec.get("model")
    yield f"{pod.at}.model.storageUri", str(dig(model, "storageUri") or "")
    for n, row in rows(pod.spec.get("storageUris")):
        yield f"{pod.at}.storageUris[{n}].uri", str(row.get("uri"))
    if pod.owner.kind == "LLMInferenceService":
        yield "spec.model.uri", str(pod.owner.get("spec", "model", "uri"))


def _number(party: Party, target: Any) -> Any:
    """A target port's number; its container has it by name."""
    for _, container in party.pod.containers() if party.pod else ():
        for _, port in rows(container.get("ports")):
            if port.get("name") == target:
                return port.get("containerPort")
    return target
