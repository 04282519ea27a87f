"""Faults that people make in manifests, one at a time in a small set that has none."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from . import check
from .objects import Bundle, Object, read
from .schemas import Schemas

GOOD = read((Path(__file__).parents[1] / "unit" / "manifests" / "good.yaml").read_text("utf-8"))
FEATURES = {
    "serving": frozenset({"kubernetes.podspec-nodeselector"}),
    "eventing": frozenset({"authentication-oidc", "delivery-retryafter"}),
}
GONE: Any = object()
KNATIVE, TRIGGER = "Service.serving.knative.dev/record", "Trigger.eventing.knative.dev/record-findings"
BROKER, SERVICE = "Broker.eventing.knative.dev/default", "InferenceService.serving.kserve.io/mapper"
PING, JOB = "PingSource.sources.knative.dev/weekly", "JobSink.sinks.knative.dev/evaluate"
POLICY, KIND = "EventPolicy.eventing.knative.dev/record", "EventType.eventing.knative.dev/findings-mapped"
RUNTIME, NETWORK = "ServingRuntime.serving.kserve.io/vllm", "NetworkPolicy/record"
REVISION, CONTAINER = ("spec", "template", "spec"), ("spec", "template", "spec", "containers", 0)
SCALING, PREDICTOR = ("spec", "template", "metadata", "annotations"), ("spec", "predictor")


class Planted(NamedTuple):
    what: str
    object: str
    path: tuple[str | int, ...]
    value: Any
    field: str
    crd: bool = False
    """Only the CRD's schema can tell."""


def scaling(key: str, value: Any, what: str, *, crd: bool = False) -> Planted:
    name = f"autoscaling.knative.dev/{key}"
    at = f"spec.template.metadata.annotations{'.' + name if crd else f'[{name}]'}"
    return Planted(what, KNATIVE, (*SCALING, name), value, at, crd)


PLANTED = [
    # Knative Service
    Planted("traffic adds up to 90", KNATIVE, ("spec", "traffic", 0, "percent"), 90, "spec.traffic"),
    Planted("no revision in traffic", KNATIVE, ("spec", "traffic", 0, "latestRevision"), GONE, "spec.traffic[0]"),
    scaling("min-scale", "9", "least scale above the most"),
    scaling("minScal", "1", "a misspelt scaling key"),
    scaling("max-scale", "many", "a scale that is no number"),
    scaling("metric", "cpu", "the HPA's metric with the KPA"),
    scaling("min-scale", "0", "an HPA that is to scale to zero")._replace(
        path=SCALING,
        value=dict(zip(("autoscaling.knative.dev/class", "autoscaling.knative.dev/min-scale"),
                       ("hpa.autoscaling.knative.dev", "0"), strict=True)),
    ),
    scaling("target", "64", "a target above the hard limit"),
    scaling("min-scale", 1, "an annotation that is no string", crd=True),
    Planted("a scaling key on the wrong metadata", KNATIVE, ("metadata", "annotations"),
            {"autoscaling.knative.dev/min-scale": "1"}, "metadata.annotations[autoscaling.knative.dev/min-scale]"),
    Planted("a timeout above ten minutes", KNATIVE, (*REVISION, "timeoutSeconds"), 900,
            "spec.template.spec.timeoutSeconds"),
    Planted("no image", KNATIVE, (*CONTAINER, "image"), GONE, "spec.template.spec.containers[0].image"),
    Planted("an unknown field in the pod template", KNATIVE, (*REVISION, "containerConcurency"), 4,
            "spec.template.spec.containerConcurency", crd=True),
    Planted("an unknown field in a container", KNATIVE, (*CONTAINER, "lifecycle"), {},
            "spec.template.spec.containers[0].lifecycle", crd=True),
    Planted("an unknown field in a volume that the CRD is blind to", KNATIVE, (*REVISION, "volumes", 0),
            {"name": "rows", "emptyDir": {"sizeLimits": "1Gi"}},
            "spec.template.spec.volumes[0].emptyDir.sizeLimits", crd=True),
    Planted("a node selector without its flag", KNATIVE, (*REVISION, "tolerations"), [{"operator": "Exists"}],
            "spec.template.spec.tolerations"),
    Planted("an emptyDir without its flag", KNATIVE, (*REVISION, "volumes", 0), {"name": "rows", "emptyDir": {}},
            "spec.template.spec.volumes[0].emptyDir"),
    Planted("two ports", KNATIVE, (*CONTAINER, "ports"), [{"containerPort": 8080}, {"containerPort": 8081}],
            "spec.template.spec.containers[0].ports"),
    Planted("a variable that Knative sets", KNATIVE, (*CONTAINER, "env", 1), {"name": "PORT", "value": "8080"},
            "spec.template.spec.containers[0].env[1].name"),
    Planted("a selector as in a core Service", KNATIVE, ("spec", "selector"), {"app": "record"}, "spec.selector",
            crd=True),
    Planted("a visibility that does not exist", KNATIVE, ("metadata", "labels"),
            {"networking.knative.dev/visibility": "private"}, "metadata.labels[networking.knative.dev/visibility]"),
    Planted("a probe with a query", KNATIVE, (*CONTAINER, "readinessProbe", "httpGet", "path"), "/ready?bundles",
            "spec.template.spec.containers[0].readinessProbe.httpGet.path"),
    Planted("a probe of a sidecar", KNATIVE, (*REVISION, "containers", 1),
            {"name": "beside", "image": "x@sha256:" + "a" * 64, "readinessProbe": {"httpGet": {"path": "/"}}},
            "spec.template.spec.containers[1].readinessProbe"),
    # what the code says
    Planted("a probe of a path that no route has", KNATIVE, (*CONTAINER, "readinessProbe", "httpGet", "path"),
            "/healthz", "spec.template.spec.containers[0].readinessProbe.httpGet.path"),
    Planted("a variable that is no setting", KNATIVE, (*CONTAINER, "env", 1, "name"), "RECORD_RETENTION",
            "spec.template.spec.containers[0].env[1].name"),
    Planted("a value that the setting refuses", KNATIVE, (*CONTAINER, "env", 1, "value"), "90d",
            "spec.template.spec.containers[0].env[1].value"),
    Planted("an image by tag in production", KNATIVE, (*CONTAINER, "image"), "llama-mapper-record:v1",
            "spec.template.spec.containers[0].image"),
    Planted("the address of no service", KNATIVE, (*CONTAINER, "env", 1),
            {"name": "K_SINK", "value": "http://recorder.llama-mapper.svc.cluster.local"},
            "spec.template.spec.containers[0].env[1].value"),
    Planted("a Knative address without a namespace", KNATIVE, (*CONTAINER, "env", 1),
            {"name": "K_SINK", "value": "http://record"}, "spec.template.spec.containers[0].env[1].value"),
    Planted("a sender to the Broker without a token", KNATIVE, (*CONTAINER, "env", 1),
            {"name": "K_SINK", "value": "http://kafka-broker-ingress.knative-eventing.svc.cluster.local/llama-mapper/default"},
            "spec.template.spec.containers[0].env[1].value"),
    # names
    Planted("a ConfigMap that is not there", KNATIVE, (*CONTAINER, "envFrom", 0, "configMapRef", "name"), "limit",
            "spec.template.spec.containers[0].envFrom[0].configMapRef.name"),
    Planted("a Secret's key that is not there", KNATIVE,
            (*CONTAINER, "env", 0, "valueFrom", "secretKeyRef", "key"), "url",
            "spec.template.spec.containers[0].env[0].valueFrom.secretKeyRef.name"),
    Planted("a ServiceAccount that is not there", KNATIVE, (*REVISION, "serviceAccountName"), "function",
            "spec.template.spec.serviceAccountName"),
    Planted("a mount of no volume", KNATIVE, (*CONTAINER, "volumeMounts", 0, "name"), "row",
            "spec.template.spec.containers[0].volumeMounts[0].name"),
    Planted("a NetworkPolicy for no pod", NETWORK, ("spec", "podSelector", "matchLabels"), {"app": "recrod"},
            "spec.podSelector"),
    Planted("an unknown field of a Kubernetes kind", NETWORK, ("spec", "policyType"), ["Ingress"], "spec.policyType"),
    # eventing
    Planted("a Trigger without a subscriber", TRIGGER, ("spec", "subscriber"), GONE, "spec.subscriber"),
    Planted("a subscriber that is not there", TRIGGER, ("spec", "subscriber", "ref", "name"), "recorder",
            "spec.subscriber.ref.name"),
    Planted("a subscriber's path that no route has", TRIGGER, ("spec", "subscriber", "uri"), "/event",
            "spec.subscriber.uri"),
    Planted("an absolute address of no service", TRIGGER, ("spec", "subscriber"),
            {"uri": "http://recorder.llama-mapper.svc.cluster.local/events"}, "spec.subscriber.uri"),
    Planted("a path of an absolute address that no route has", TRIGGER, ("spec", "subscriber"),
            {"uri": "http://record.llama-mapper.svc.cluster.local/event"}, "spec.subscriber.uri"),
    Planted("a Broker that is not there", TRIGGER, ("spec", "broker"), "main", "spec.broker"),
    Planted("a misspelt delivery field", TRIGGER, ("spec", "delivery", "retries"), 3, "spec.delivery.retries",
            crd=True),
    Planted("a misspelt filter dialect", TRIGGER, ("spec", "filters", 0), {"exacts": {"type": "x"}},
            "spec.filters[0].exacts"),
    Planted("an attribute with a capital", TRIGGER, ("spec", "filters", 1, "not", "prefix"), {"tenantId": "x"},
            "spec.filters[1].not.prefix.tenantId"),
    Planted("an event type that no contract has", TRIGGER, ("spec", "filters", 0, "exact", "type"),
            "io.llama-mapper.findings.maped.v1", "spec.filters[0].exact.type"),
    Planted("a field beside spec.filters that the CRD is blind to", TRIGGER, ("spec", "filtres"), [], "spec.filtres",
            crd=True),
    Planted("a back-off policy that does not exist", BROKER, ("spec", "delivery", "backoffPolicy"), "quadratic",
            "spec.delivery.backoffPolicy"),
    Planted("a delay that is no ISO 8601", BROKER, ("spec", "delivery", "backoffDelay"), "200ms",
            "spec.delivery.backoffDelay"),
    Planted("a Broker's class that does not exist", BROKER, ("metadata", "annotations"),
            {"eventing.knative.dev/broker.class": "kafka"},
            "metadata.annotations[eventing.knative.dev/broker.class]"),
    Planted("a cron line of four fields", PING, ("spec", "schedule"), "0 3 * *", "spec.schedule"),
    Planted("a sink that is not there", PING, ("spec", "sink", "ref", "name"), "evaluation", "spec.sink.ref.name"),
    Planted("an unknown field in a JobSink's job", JOB, ("spec", "job", "spec", "backOffLimit"), 1,
            "spec.job.spec.backOffLimit", crd=True),
    Planted("an EventPolicy without a subject", POLICY, ("spec", "from"), [{}], "spec.from[0]"),
    Planted("an EventType without a source", KIND, ("spec", "attributes", 1, "name"), "origin", "spec.attributes"),
    # KServe
    Planted("canary traffic of 150", SERVICE, (*PREDICTOR, "canaryTrafficPercent"), 150,
            "spec.predictor.canaryTrafficPercent"),
    Planted("a runtime that is not there", SERVICE, (*PREDICTOR, "model", "runtime"), "vlm",
            "spec.predictor.model.runtime"),
    Planted("a format that no runtime takes", SERVICE, (*PREDICTOR, "model"),
            {"modelFormat": {"name": "gguf"}, "storageUri": "s3://models/x"}, "spec.predictor.model.modelFormat.name"),
    Planted("no protocol for vLLM", SERVICE, (*PREDICTOR, "model", "protocolVersion"), GONE,
            "spec.predictor.model.protocolVersion"),
    Planted("a storage that KServe cannot fetch", SERVICE, (*PREDICTOR, "model", "storageUri"), "ftp://models/x",
            "spec.predictor.model.storageUri"),
    Planted("two predictors", SERVICE, (*PREDICTOR, "sklearn"), {"storageUri": "s3://models/x"}, "spec.predictor"),
    Planted("a name of sixty characters", SERVICE, ("metadata", "name"), "m" * 60, "metadata.name"),
    Planted("a mode by its former name", SERVICE, ("metadata", "annotations"),
            {"serving.kserve.io/deploymentMode": "Serverless"},
            "metadata.annotations[serving.kserve.io/deploymentMode]"),
    Planted("least replicas above the most", SERVICE, (*PREDICTOR, "minReplicas"), 5, "spec.predictor.minReplicas"),
    Planted("s3 without an account", SERVICE, (*PREDICTOR, "serviceAccountName"), GONE,
            "spec.predictor.serviceAccountName"),
    Planted("a GPU toleration without its flag", SERVICE, (*PREDICTOR, "tolerations"), [{"operator": "Exists"}],
            "spec.predictor.tolerations"),
    Planted("an adapter with its service's name", RUNTIME, ("spec", "containers", 0, "args"),
            ["--lora-modules", "mapper=/mnt/models/lora"], "spec.containers[0].args"),
    Planted("an unknown field of a runtime", RUNTIME, ("spec", "container"), [], "spec.container", crd=True),
]  # fmt: skip


def changed(body: Mapping[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    whole: Any = copy.deepcopy(dict(body))
    place = whole
    for part in path[:-1]:
        place = place[part]
    if isinstance(place, list) and path[-1] == len(place):
        place.append(value)
    elif value is GONE:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return dict(whole)


def plant(fault: Planted) -> Bundle:
    assert fault.object in {one.title for one in GOOD}
    objects = [Object(changed(one.body, fault.path, fault.value)) if one.title == fault.object else one for one in GOOD]
    return Bundle(objects, production=True, features=FEATURES)


def caught(fault: Planted, schemas: Schemas) -> bool:
    """Whether the checks name the object and the field that the fault is in."""
    renamed = fault.path == ("metadata", "name")
    found = check.faults(plant(fault), schemas)
    return fault.field in {one.field for one in found if renamed or one.object == fault.object}
