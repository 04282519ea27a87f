"""What Knative Serving's webhook and controller refuse, or take in silence and ignore, beyond the CRD."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .objects import Bundle, Fault, Object, dig, rows

GROUP = "serving.knative.dev"
MAX_TIMEOUT_SECONDS = 600  # config-defaults: max-revision-timeout-seconds
RESERVED_PORTS = frozenset({8008, 8012, 8013, 8022, 9090, 9091})  # the queue proxy's
RESERVED_VARIABLES = frozenset({"PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION"})

_NUMBER, _DURATION = r"\d+(\.\d+)?", r"(\d+(\.\d+)?(ms|s|m|h))+"
_WHOLE = r"\d+"
# Upstream's list (knative.dev/serving/pkg/apis/autoscaling): a key that is not in it is taken and ignored.
AUTOSCALING: Mapping[str, str] = {
    "class": r"(kpa|hpa)\.autoscaling\.knative\.dev",
    "metric": r"concurrency|rps|cpu|memory",
    "min-scale": _WHOLE,
    "max-scale": _WHOLE,
    "initial-scale": _WHOLE,
    "activation-scale": r"[1-9]\d*",
    "scale-down-delay": _DURATION + "|0",
    "scale-to-zero-pod-retention-period": _DURATION + "|0",
    "target": _NUMBER,
    "target-utilization-percentage": _NUMBER,
    "target-burst-capacity": r"-1|" + _NUMBER,
    "panic-window-percentage": _NUMBER,
    "panic-threshold-percentage": _NUMBER,
    "window": _DURATION,
    "metric-aggregation-algorithm": r"linear|weightedExponential",
}
SERVING_ON_REVISION = frozenset({"progress-deadline", "inject-sidecars"})
SERVING_ON_SERVICE = frozenset({"rollout-duration", "creator", "lastModifier"})
# Fields of a pod that config-features must allow first, with the flag for each.
FLAGS: Mapping[str, str] = {
    "affinity": "kubernetes.podspec-affinity",
    "nodeSelector": "kubernetes.podspec-nodeselector",
    "tolerations": "kubernetes.podspec-tolerations",
    "topologySpreadConstraints": "kubernetes.podspec-topologyspreadconstraints",
    "runtimeClassName": "kubernetes.podspec-runtimeclassname",
    "schedulerName": "kubernetes.podspec-schedulername",
    "priorityClassName": "kubernetes.podspec-priorityclassname",
    "securityContext": "kubernetes.podspec-securitycontext",
    "shareProcessNamespace": "kubernetes.podspec-shareprocessnamespace",
    "hostAliases": "kubernetes.podspec-hostaliases",
    "hostNetwork": "kubernetes.podspec-hostnetwork",
    "hostPID": "kubernetes.podspec-hostpid",
    "hostIPC": "kubernetes.podspec-hostipc",
    "initContainers": "kubernetes.podspec-init-containers",
    "dnsPolicy": "kubernetes.podspec-dnspolicy",
    "dnsConfig": "kubernetes.podspec-dnsconfig",
}
VOLUME_FLAGS: Mapping[str, str] = {
    "emptyDir": "kubernetes.podspec-volumes-emptydir",
    "persistentVolumeClaim": "kubernetes.podspec-persistent-volume-claim",
    "hostPath": "kubernetes.podspec-volumes-hostpath",
    "csi": "kubernetes.podspec-volumes-csi",
    "ephemeral": "kubernetes.podspec-volumes-ephemeral",
    "image": "kubernetes.podspec-volumes-image",
}


def faults(bundle: Bundle) -> Iterator[Fault]:
    for service in bundle.of("Service", GROUP):
        yield from _service(service)
        yield from _traffic(service)
        yield from annotations(service, "spec", "template")
        yield from _revision(service)
        yield from _containers(service)
        flags = bundle.features.get("serving", frozenset())
        yield from pod_flags(service, service.map("spec", "template", "spec"), "spec.template.spec", flags)
        yield from _probes(service, flags)


def _service(one: Object) -> Iterator[Fault]:
    if not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", one.name) or len(one.name) > 63:
        yield one.fault("metadata.name", "must be a DNS label of at most 63 characters that begins with a letter")
    for key in one.annotations():
        prefix, _, name = key.rpartition("/")
        if prefix == f"autoscaling.{GROUP.removeprefix('serving.')}":
            yield one.fault(f"metadata.annotations[{key}]", "belongs into spec.template.metadata to have an effect")
        elif prefix == GROUP and name not in SERVING_ON_SERVICE:
            yield one.fault(f"metadata.annotations[{key}]", "Knative knows no such annotation of a Service")
    rollout = one.annotations().get(f"{GROUP}/rollout-duration")
    if rollout is not None and not re.fullmatch(_DURATION, str(rollout)):
        yield one.fault(f"metadata.annotations[{GROUP}/rollout-duration]", "is no duration such as 120s")
    visibility = one.get("metadata", "labels", "networking.knative.dev/visibility")
    if visibility not in (None, "cluster-local"):
        yield one.fault("metadata.labels[networking.knative.dev/visibility]", "only cluster-local has a meaning")


def _traffic(one: Object) -> Iterator[Fault]:
    targets = list(rows(one.get("spec", "traffic")))
    if not targets:
        return
    total = sum(int(target.get("percent") or 0) for _, target in targets)
    if total != 100:
        yield one.fault("spec.traffic", f"the percentages add up to {total}, not to 100")
    tags = [target["tag"] for _, target in targets if target.get("tag")]
    for tag in sorted({tag for tag in tags if tags.count(tag) > 1}):
        yield one.fault("spec.traffic", f"the tag {tag} stands twice")
    for n, target in targets:
        if bool(target.get("latestRevision")) == bool(target.get("revisionName")):
            yield one.fault(f"spec.traffic[{n}]", "needs either latestRevision: true or a revisionName")


def annotations(one: Object, *above: str) -> Iterator[Fault]:
    """The scaling annotations under *above*; a misspelt key is taken by the API server and never read."""
    found = one.annotations(*above)
    at = ".".join((*above, "metadata", "annotations"))
    scale: dict[str, float] = {}
    for key, value in found.items():
        prefix, _, name = key.rpartition("/")
        if prefix == "autoscaling.knative.dev":
            pattern = AUTOSCALING.get(name)
            if pattern is None:
                yield one.fault(f"{at}[{key}]", "Knative knows no such key, and would ignore it in silence")
            elif not isinstance(value, str) or not re.fullmatch(pattern, value):
                yield one.fault(f"{at}[{key}]", "must be a string of the form that Knative reads")
            elif re.fullmatch(_NUMBER, value):
                scale[name] = float(value)
        elif prefix == GROUP and name not in SERVING_ON_REVISION and above:
            yield one.fault(f"{at}[{key}]", "Knative knows no such annotation of a revision")
    if 0 < scale.get("max-scale", 0) < scale.get("min-scale", 0):
        yield one.fault(f"{at}[autoscaling.knative.dev/min-scale]", "is above max-scale")
    if 0 < scale.get("max-scale", 0) < scale.get("initial-scale", 0):
        yield one.fault(f"{at}[autoscaling.knative.dev/initial-scale]", "is above max-scale")
    if not 1 <= scale.get("target-utilization-percentage", 70) <= 100:
        yield one.fault(f"{at}[autoscaling.knative.dev/target-utilization-percentage]", "must lie in 1..100")
    yield from _scaler(one, found, at, scale)


def _scaler(one: Object, found: Mapping[str, Any], at: str, scale: Mapping[str, float]) -> Iterator[Fault]:
    by_load = str(found.get("autoscaling.knative.dev/class", "")).startswith("hpa")
    metric = found.get("autoscaling.knative.dev/metric", "cpu" if by_load else "concurrency")
    if by_load != (metric in ("cpu", "memory")):
        yield one.fault(f"{at}[autoscaling.knative.dev/metric]", "cpu and memory are the HPA's, the others the KPA's")
    if by_load and scale.get("min-scale", 0) < 1:
        yield one.fault(f"{at}[autoscaling.knative.dev/min-scale]", "the HPA class cannot scale to zero")


def _revision(one: Object) -> Iterator[Fault]:
    spec, at = one.map("spec", "template", "spec"), "spec.template.spec"
    timeout = spec.get("timeoutSeconds", 300)
    if isinstance(timeout, int) and not 0 < timeout <= MAX_TIMEOUT_SECONDS:
        yield one.fault(f"{at}.timeoutSeconds", f"must lie in 1..{MAX_TIMEOUT_SECONDS}")
    for name in ("responseStartTimeoutSeconds", "idleTimeoutSeconds"):
        shorter = spec.get(name, 0)
        if isinstance(shorter, int) and isinstance(timeout, int) and shorter > timeout:
            yield one.fault(f"{at}.{name}", "is above timeoutSeconds")
    limit = spec.get("containerConcurrency", 0)
    if isinstance(limit, int) and not 0 <= limit <= 1000:
        yield one.fault(f"{at}.containerConcurrency", "must lie in 0..1000")
    target = one.annotations("spec", "template").get("autoscaling.knative.dev/target")
    metric = one.annotations("spec", "template").get("autoscaling.knative.dev/metric", "concurrency")
    if metric == "concurrency" and limit and re.fullmatch(_NUMBER, str(target or "")) and float(str(target)) > limit:
        at = "spec.template.metadata.annotations[autoscaling.knative.dev/target]"
        yield one.fault(at, "is above containerConcurrency, so it is never reached")


def _containers(one: Object) -> Iterator[Fault]:
    containers = list(rows(one.get("spec", "template", "spec", "containers")))
    open_to_all = [n for n, container in containers if container.get("ports")]
    if len(containers) > 1 and len(open_to_all) != 1:
        yield one.fault("spec.template.spec.containers", "exactly one of several containers has a port")
    for n, container in containers:
        at = f"spec.template.spec.containers[{n}]"
        if not container.get("image"):
            yield one.fault(f"{at}.image", "is required")
        yield from _ports(one, container, at)
        for m, variable in rows(container.get("env")):
            if variable.get("name") in RESERVED_VARIABLES:
                yield one.fault(f"{at}.env[{m}].name", "Knative sets this variable itself and refuses another value")


def _ports(one: Object, container: Mapping[str, Any], at: str) -> Iterator[Fault]:
    ports = list(rows(container.get("ports")))
    if len(ports) > 1:
        yield one.fault(f"{at}.ports", "a container of a Knative Service has one port")
    for n, port in ports:
        if port.get("name") not in (None, "", "http1", "h2c"):
            yield one.fault(f"{at}.ports[{n}].name", "must be http1 or h2c")
        if port.get("containerPort") in RESERVED_PORTS:
            yield one.fault(f"{at}.ports[{n}].containerPort", "is the queue proxy's")
    served = ports[0][1].get("containerPort", 8080) if ports else 8080
    for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
        asked = dig(container, probe, "httpGet", "port")
        if probe == "readinessProbe" and asked not in (None, 0, served):
            yield one.fault(f"{at}.{probe}.httpGet.port", "the container does not listen there")


def _probes(one: Object, enabled: frozenset[str]) -> Iterator[Fault]:
    """queue-proxy asks for readiness itself, by a URL whose path it escapes (serving's pkg/queue/health/probe.go)."""
    containers = list(rows(one.get("spec", "template", "spec", "containers")))
    for n, container in containers:
        at = f"spec.template.spec.containers[{n}]"
        if "?" in str(dig(container, "readinessProbe", "httpGet", "path") or ""):
            yield one.fault(f"{at}.readinessProbe.httpGet.path", "a question mark would be escaped, and not be found")
        beside = len(containers) > 1 and not container.get("ports")
        for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
            if beside and container.get(probe) and "multi-container-probing" not in enabled:
                yield one.fault(f"{at}.{probe}", "a container beside ours needs multi-container-probing for a probe")


def pod_flags(one: Object, pod: Mapping[str, Any], at: str, enabled: frozenset[str]) -> Iterator[Fault]:
    """Fields that Knative refuses, or drops, until ``config-features`` of knative-serving allows them."""
    for name, flag in FLAGS.items():
        if pod.get(name) and flag not in enabled:
            yield one.fault(f"{at}.{name}", f"needs {flag} in config-features")
    for n, volume in rows(pod.get("volumes")):
        for name, flag in VOLUME_FLAGS.items():
            if name in volume and flag not in enabled:
                yield one.fault(f"{at}.volumes[{n}].{name}", f"needs {flag} in config-features")
