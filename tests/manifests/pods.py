"""Every place where manifests describe a pod, whatever kind wraps it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .objects import Bundle, Object, dig, rows

_CONTAINERS = ("containers", "initContainers")


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod template: its spec, where that stands, and the labels that its pods will carry."""

    owner: Object
    at: str
    spec: Mapping[str, Any]
    labels: Mapping[str, str]
    name: str = ""
    """As people call it: the owner's name, and the part where one owner has several pods."""

    def containers(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Each container with its path; KServe's ``model`` is one too."""
        for name in _CONTAINERS:
            for n, container in rows(self.spec.get(name)):
                yield f"{self.at}.{name}[{n}]", container
        model = self.spec.get("model")
        if self.owner.kind == "InferenceService" and isinstance(model, Mapping):
            yield f"{self.at}.model", model


def pods(bundle: Bundle) -> Iterator[Pod]:
    for one in bundle.objects:
        for at, labels_at in _PLACES.get(one.kind, ()):
            spec = one.get(*at)
            if isinstance(spec, Mapping):
                labels = dig(one.body, *labels_at, "metadata", "labels") or {}
                added = _added(one, at[1] if len(at) > 1 else "")
                name = added.get("serving.knative.dev/service") or one.name
                yield Pod(one, ".".join(at), spec, {**labels, **added}, name)
        if one.kind in _WITHOUT_TEMPLATE:
            yield Pod(one, "spec", {}, {**one.map("metadata", "labels"), **_added(one, "")}, one.name)
        yield from _of_controllers(one)


def _of_controllers(one: Object) -> Iterator[Pod]:
    """Pods that a controller starts in our namespace for a kind that says nothing of pods.

    The RabbitMQ class's: eventing-rabbitmq, pkg/reconciler/{broker,trigger}/resources. cert-manager's: the solver of an
    HTTP-01 challenge, pkg/issuer/acme/http/pod.go.
    """
    if one.kind == "Broker" and one.annotations().get("eventing.knative.dev/broker.class") == "RabbitMQBroker":
        for role in ("ingress", "dispatcher"):
            labels = {"eventing.knative.dev/broker": one.name, "eventing.knative.dev/brokerRole": role}
            yield Pod(one, "spec", {}, labels, f"broker {role}")
    if one.kind == "Issuer" and any("http01" in row for _, row in rows(one.get("spec", "acme", "solvers"))):
        yield Pod(one, "spec", {}, {"acme.cert-manager.io/http01-solver": "true"}, "certificate solver")


def _added(one: Object, part: str) -> dict[str, str]:
    """The labels that a controller adds, by which policies select."""
    if one.kind == "Service" and one.group == "serving.knative.dev":
        return {"serving.knative.dev/service": one.name, "app": f"{one.name}-00001"}
    if one.kind == "InferenceService":
        return {
            "serving.kserve.io/inferenceservice": one.name,
            "serving.knative.dev/service": f"{one.name}-{part}",
            "component": part,
            "app": f"isvc.{one.name}-{part}",
        }
    if one.kind == "OpenTelemetryCollector":
        return {
            "app.kubernetes.io/name": f"{one.name}-collector",
            "app.kubernetes.io/instance": f"{one.namespace}.{one.name}",
            "app.kubernetes.io/component": "opentelemetry-collector",
            "app.kubernetes.io/managed-by": "opentelemetry-operator",
        }
    if one.kind == "LLMInferenceService":
        return {"app.kubernetes.io/name": one.name, "app.kubernetes.io/part-of": "llminferenceservice"}
    return {}


# Their controllers make the pods, of what these kinds say in words of their own.
_WITHOUT_TEMPLATE = frozenset({"OpenTelemetryCollector", "LLMInferenceService"})
_TEMPLATE = (("spec", "template", "spec"), ("spec", "template"))
_PLACES: Mapping[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]] = {
    "Pod": ((("spec",), ()),),
    **dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "Service"), (_TEMPLATE,)),
    "CronJob": ((("spec", "jobTemplate", "spec", "template", "spec"), ("spec", "jobTemplate", "spec", "template")),),
    "JobSink": ((("spec", "job", "spec", "template", "spec"), ("spec", "job", "spec", "template")),),
    "InferenceService": tuple(((("spec", part)), ()) for part in ("predictor", "transformer", "explainer")),
    "ServingRuntime": ((("spec",), ()),),
    "ClusterServingRuntime": ((("spec",), ()),),
}
