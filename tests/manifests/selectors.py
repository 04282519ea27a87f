"""Selectors that select something."""

from collections.abc import Iterator, Mapping
from typing import Any

from . import given
from .objects import Bundle, Fault, Object, dig, rows
from .parties import AROUND
from .pods import Pod, pods

# Where a kind holds the labels that it looks for in pods.
_PLACES: Mapping[str, tuple[str, ...]] = {
    "NetworkPolicy": ("spec", "podSelector"),
    "PodDisruptionBudget": ("spec", "selector"),
    "PodMonitor": ("spec", "selector"),
    "PeerAuthentication": ("spec", "selector"),
    "AuthorizationPolicy": ("spec", "selector"),
    "RequestAuthentication": ("spec", "selector"),
    "WasmPlugin": ("spec", "selector"),
    "EnvoyFilter": ("spec", "workloadSelector"),
}
_OWN = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"})


def faults(bundle: Bundle) -> Iterator[Fault]:
    everywhere = list(pods(bundle))
    for one in bundle.objects:
        if one.kind in _PLACES:
            at = _PLACES[one.kind]
            yield from _selects(one, ".".join(at), one.get(*at), everywhere)
        elif one.kind == "Service" and not one.group and one.get("spec", "selector"):
            yield from _selects(one, "spec.selector", {"matchLabels": one.get("spec", "selector")}, everywhere)
            yield from _target_ports(one, everywhere)
        elif one.kind in _OWN:
            own = [pod for pod in everywhere if pod.owner is one]
            yield from _selects(one, "spec.selector", one.get("spec", "selector"), own)
        elif one.kind == "ServiceMonitor":
            yield from _selects_services(one, bundle)


def matches(selector: Any, labels: Mapping[str, str]) -> bool:
    """Say whether a Kubernetes label selector takes *labels*; an empty one takes all."""
    if not isinstance(selector, Mapping):
        return True
    wanted = selector.get("matchLabels") or selector.get("labels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_expression(row, labels) for _, row in rows(selector.get("matchExpressions")))


def _expression(row: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, values = labels.get(str(row.get("key"))), row.get("values") or ()
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }.get(str(row.get("operator")), False)


def _selects(one: Object, at: str, selector: Any, among: list[Pod]) -> Iterator[Fault]:
    if dig(selector, "matchLabels", "app.kubernetes.io/name") in given.OUTSIDE:
        return
    around = any(party.namespace == one.namespace and matches(selector, party.labels) for party in AROUND)
    if selector and not around and not any(matches(selector, pod.labels) for pod in among):
        yield one.fault(at, "no pod of the set has these labels")


def _selects_services(one: Object, bundle: Bundle) -> Iterator[Fault]:
    labels = [service.map("metadata", "labels") for service in bundle.of("Service")]
    if not any(matches(one.get("spec", "selector"), found) for found in labels):
        yield one.fault("spec.selector", "no Service of the set has these labels")


def _target_ports(one: Object, among: list[Pod]) -> Iterator[Fault]:
    selector = {"matchLabels": one.get("spec", "selector")}
    chosen = [pod for pod in among if matches(selector, pod.labels)]
    ports = {
        value
        for pod in chosen
        for _, container in pod.containers()
        for _, port in rows(container.get("ports"))
        for value in (port.get("name"), port.get("containerPort"))
    }
    for n, port in rows(one.get("spec", "ports")):
        target = port.get("targetPort", port.get("port"))
        if ports and target not in ports:
            yield one.fault(f"spec.ports[{n}].targetPort", "no selected container has such a port")
