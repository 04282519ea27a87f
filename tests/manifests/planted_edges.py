"""Edges too many and too few, one at a time in what the production overlay renders."""

import copy
from typing import Any, NamedTuple

from . import build, edges, mesh
from .objects import Bundle, Object

PRODUCTION = build.ROOT / "kustomize" / "overlays" / "production"
NETWORK, MESH = "NetworkPolicy/", "AuthorizationPolicy.security.istio.io/"
ORCHESTRATE = "Service.serving.knative.dev/orchestrate"
ENV = ("spec", "template", "spec", "containers", 0, "env")
OF_ORCHESTRATE, DETECT_URL = NETWORK + "allow-orchestrate", "spec.template.spec.containers[0].env[1].value"
VISIBLE = "metadata.labels[networking.knative.dev/visibility]"
OUT, IN, RULE, SOURCE = ("spec", "egress", 0), ("spec", "ingress", 0), ("spec", "rules", 0), ("from", 0, "source")
REMOVED: Any = object()


class PlantedEdge(NamedTuple):
    """A change of one object, and where it is told. With an empty path the object itself is taken away."""

    what: str
    object: str
    path: tuple[str | int, ...]
    value: Any
    told_by: str
    field: str


def ns(name: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def pod(name: str) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": {"serving.knative.dev/service": name}}}


def account(name: str) -> list[str]:
    return [f"cluster.local/ns/llama-mapper/sa/{name}"]


PLANTED = [
    # an edge of the picture that no policy allows
    PlantedEdge("orchestrate may not reach detect", OF_ORCHESTRATE, (*OUT, "to", 0), REMOVED,
                ORCHESTRATE, DETECT_URL),
    PlantedEdge("detect takes nobody", NETWORK + "allow-detect", ("spec", "ingress"), [],
                ORCHESTRATE, DETECT_URL),
    PlantedEdge("the way through the activator is closed", OF_ORCHESTRATE, (*OUT, "to", 4), REMOVED,
                ORCHESTRATE, DETECT_URL),
    PlantedEdge("the wrong port of queue-proxy", NETWORK + "allow-detect", (*IN, "ports", 0, "port"), 8080,
                ORCHESTRATE, DETECT_URL),
    PlantedEdge("no names are looked up", NETWORK + "allow-platform", OUT, REMOVED,
                ORCHESTRATE, "metadata.name"),
    PlantedEdge("names by TCP alone", NETWORK + "allow-platform", (*OUT, "ports", 0, "protocol"), "TCP",
                ORCHESTRATE, "metadata.name"),
    PlantedEdge("no certificates from istiod", NETWORK + "allow-platform",
                ("spec", "egress", 1, "ports", 0, "port"), 15010, ORCHESTRATE, "metadata.name"),
    PlantedEdge("the Broker's way in is gone", NETWORK + "broker-delivers", (), REMOVED,
                "Trigger.eventing.knative.dev/analyze-findings", "spec.subscriber"),
    PlantedEdge("dead letters are not let in", MESH + "record-takes-events", (*RULE, "to", 0, "operation", "paths"),
                ["/events"], "Broker.eventing.knative.dev/default", "spec.delivery.deadLetterSink"),
    PlantedEdge("the mesh lets no gateway in", MESH + "allow-orchestrate", ("spec", "rules", 1, *SOURCE, "namespaces"),
                ["istio-ingress"], ORCHESTRATE, VISIBLE),
    PlantedEdge("the gateway's pods by another label", OF_ORCHESTRATE,
                (*IN, "from", 0, "podSelector", "matchLabels"), {"istio": "gateway"},
                ORCHESTRATE, VISIBLE),
    PlantedEdge("record's account is misspelt", "Service.serving.knative.dev/record",
                ("spec", "template", "spec", "serviceAccountName"), "redis",
                "Service.serving.knative.dev/record", "spec.template.spec.containers[0].env[3].value"),
    PlantedEdge("the model's store is not let out", NETWORK + "allow-s3-outside", (), REMOVED,
                "InferenceService.serving.kserve.io/mapper", "spec.predictor.model.storageUri"),
    PlantedEdge("the certificate's challenge is shut out", NETWORK + "allow-challenges", (), REMOVED,
                "Issuer.cert-manager.io/letsencrypt", "spec.acme.solvers[0].http01"),
    PlantedEdge("a new call that nobody allowed", ORCHESTRATE, (*ENV, 0),
                {"name": "ORCHESTRATION_SINK_URL", "value": "http://console.llama-mapper.svc.cluster.local"},
                ORCHESTRATE, "spec.template.spec.containers[0].env[0].value"),
    PlantedEdge("a mapper behind the local gateway", ORCHESTRATE, (*ENV, 2, "value"),
                "http://mapper.llama-mapper.svc.cluster.local",
                ORCHESTRATE, "spec.template.spec.containers[0].env[2].value"),
    # an edge that is allowed and is none of the picture
    PlantedEdge("console reaches detect", NETWORK + "allow-detect", (*IN, "from", 0), pod("console"),
                NETWORK + "allow-detect", "spec.ingress[0].from[0]"),
    PlantedEdge("any pod of ours reaches record", NETWORK + "allow-record", (*IN, "from", 0),
                {"podSelector": {}}, NETWORK + "allow-record", "spec.ingress[0].from[0]"),
    PlantedEdge("any namespace reaches redis", NETWORK + "allow-redis", (*IN, "from", 0),
                {"namespaceSelector": {}}, NETWORK + "allow-redis", "spec.ingress[0].from[0]"),
    PlantedEdge("a rule with peers and every port", NETWORK + "allow-redis", (*IN, "ports"), REMOVED,
                NETWORK + "allow-redis", "spec.ingress[0].from[0]"),
    PlantedEdge("a rule without peers", NETWORK + "allow-detect", (*IN, "from"), REMOVED,
                NETWORK + "allow-detect", "spec.ingress[0]"),
    PlantedEdge("detect gets out to the Internet", NETWORK + "allow-s3-outside", ("spec", "podSelector", "matchLabels"),
                {"serving.knative.dev/service": "detect"}, NETWORK + "allow-s3-outside", "spec.egress[0].to[0]"),
    PlantedEdge("the node's metadata service", NETWORK + "allow-s3-outside", (*OUT, "to", 0, "ipBlock", "except"),
                ["10.0.0.0/8"], NETWORK + "allow-s3-outside", "spec.egress[0].to[0]"),
    PlantedEdge("the whole of istio-system comes in", OF_ORCHESTRATE, (*IN, "from", 0),
                ns("istio-system"), OF_ORCHESTRATE, "spec.ingress[0].from[0]"),
    PlantedEdge("nothing denies what comes in", NETWORK + "deny-all", ("spec", "policyTypes"), ["Egress"],
                "Namespace/llama-mapper", "metadata.name"),
    PlantedEdge("the console may ask detect", MESH + "allow-detect", (*RULE, *SOURCE, "principals"),
                account("console"), MESH + "allow-detect", "spec.rules[0].from[0]"),
    PlantedEdge("everybody of ours may ask detect", MESH + "allow-detect",
                (*RULE, *SOURCE, "principals"), ["cluster.local/ns/llama-mapper/*"],
                MESH + "allow-detect", "spec.rules[0].from[0]"),
    PlantedEdge("nobody has to say who it is", MESH + "allow-detect", RULE, {},
                MESH + "allow-detect", "spec.rules[0]"),
    PlantedEdge("the Broker may ask anything", MESH + "analyze-takes-events", (*RULE, "to"), REMOVED,
                MESH + "analyze-takes-events", "spec.rules[0].from[0]"),
    PlantedEdge("the Broker may read", MESH + "analyze-takes-events", (*RULE, "to", 0, "operation", "methods"),
                ["GET", "POST"], MESH + "analyze-takes-events", "spec.rules[0].from[0]"),
    PlantedEdge("every port of redis", MESH + "allow-redis", (*RULE, "to"), REMOVED,
                MESH + "allow-redis", "spec.rules[0].from[0]"),
    PlantedEdge("a condition that is not computed", MESH + "allow-detect", (*RULE, "when"),
                [{"key": "request.headers[x]", "values": ["y"]}], MESH + "allow-detect", "spec.rules[0].when"),
    PlantedEdge("the mesh denies nothing by default", MESH + "deny-all", ("spec", "selector"),
                {"matchLabels": {"a": "x"}}, "Namespace/llama-mapper", "metadata.name"),
]  # fmt: skip


def caught(planted: PlantedEdge, bundle: Bundle) -> bool:
    changed = [_changed(one, planted) if one.title == planted.object else one for one in bundle.objects]
    assert planted.object in {one.title for one in bundle.objects}, planted.object
    whole = Bundle([one for one in changed if one.body], bundle.name, features=bundle.features)
    found = [*edges.faults(whole), *mesh.faults(whole)]
    return (planted.told_by, planted.field) in {(fault.object, fault.field) for fault in found}


def _changed(one: Object, planted: PlantedEdge) -> Object:
    if not planted.path:
        return Object({})
    body: Any = copy.deepcopy(dict(one.body))
    place: Any = body
    for part in planted.path[:-1]:
        place = place[part]
    last: Any = planted.path[-1]
    if planted.value is REMOVED:
        del place[last]
    else:
        place[last] = planted.value
    return Object(body, one.file)
