"""Addresses inside the cluster that containers are told, by environment or argument, and Triggers."""

import re
from collections.abc import Iterator

from . import given
from .objects import Bundle, Fault, rows
from .pods import pods

_URL = re.compile(r"https?://([a-z0-9][a-z0-9.-]*)")
# A Service that a controller makes for a kind, by the ending of its name.
_MADE = (
    ("-broker-ingress", "Broker", "eventing.knative.dev"),
    ("-kserve-workload-svc", "LLMInferenceService", "serving.kserve.io"),
    ("-collector", "OpenTelemetryCollector", "opentelemetry.io"),
)
_ROUTED = (("Service", "serving.knative.dev"), ("InferenceService", "serving.kserve.io"))


def faults(bundle: Bundle) -> Iterator[Fault]:
    for pod in pods(bundle):
        for at, container in pod.containers():
            texts = [(f"{at}.env[{n}].value", row.get("value")) for n, row in rows(container.get("env"))]
            texts += [(f"{at}.args[{n}]", word) for n, word in enumerate(container.get("args") or ())]
            for where, text in texts:
                for host in _URL.findall(str(text or "")):
                    if message := _wrong(host, pod.owner.namespace, bundle):
                        yield pod.owner.fault(where, message)
    for trigger in bundle.of("Trigger", "eventing.knative.dev"):
        for field in (("spec", "subscriber", "uri"), ("spec", "delivery", "deadLetterSink", "uri")):
            for host in _URL.findall(str(trigger.get(*field) or "")):
                if message := _wrong(host, trigger.namespace, bundle):
                    yield trigger.fault(".".join(field), message)


def _wrong(host: str, namespace: str, bundle: Bundle) -> str:
    """What is wrong with *host*; empty where nothing is, or where it is outside of the set."""
    name, _, rest = host.partition(".")
    inside = rest in (namespace, f"{namespace}.svc", f"{namespace}.svc.cluster.local") and bool(namespace)
    if name == "localhost" or (rest and not inside and ".svc" not in rest):
        return ""
    if f"{name}.{rest.removesuffix('.cluster.local').removesuffix('.svc')}" in given.ADDRESSES:
        return ""
    if rest and not inside:
        return f"{host} is in another namespace than the pod"
    made = ((name.removesuffix(end), kind, group) for end, kind, group in _MADE if name.endswith(end))
    if bundle.find("Service", "", name) or any(bundle.find(kind, group, owner) for owner, kind, group in made):
        return ""
    if any(bundle.find(kind, group, _served(name, kind)) for kind, group in _ROUTED):
        # Knative's gateway routes by the host: name.namespace, with .svc or .svc.cluster.local, never the bare name.
        return "" if rest else f"{name} is routed by its host, which needs the namespace as well"
    return f"there is no service {name} in the set"


def _served(name: str, kind: str) -> str:
    """KServe gives each part of an InferenceService an address of its own."""
    return re.sub(r"-(predictor|transformer)$", "", name) if kind == "InferenceService" else name
