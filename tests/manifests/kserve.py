"""What KServe takes at admission and gets wrong later, beyond its CRDs."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from . import serving
from .objects import Bundle, Fault, Object, dig, rows

GROUP = "serving.kserve.io"
MODE = f"{GROUP}/deploymentMode"
MODES = frozenset({"Knative", "Standard", "ModelMesh"})
FORMER_MODES: Mapping[str, str] = {"Serverless": "Knative", "RawDeployment": "Standard"}
SCHEMES = frozenset({"s3", "gs", "pvc", "hf", "http", "https", "hdfs", "webhdfs", "oci"})
FRAMEWORKS = frozenset(
    {"model", "sklearn", "xgboost", "tensorflow", "pytorch", "triton", "onnx", "huggingface", "pmml", "lightgbm"}
    | {"paddle", "catboost", "vllm"}
)
# ClusterServingRuntimes that KServe's own installation brings, with the formats that each takes.
UPSTREAM: Mapping[str, frozenset[str]] = {
    "kserve-vllmserver": frozenset({"vLLM"}),
    "kserve-huggingfaceserver": frozenset({"huggingface"}),
    "kserve-huggingfaceserver-multinode": frozenset({"huggingface"}),
    "kserve-sklearnserver": frozenset({"sklearn"}),
    "kserve-xgbserver": frozenset({"xgboost"}),
    "kserve-lgbserver": frozenset({"lightgbm"}),
    "kserve-tritonserver": frozenset({"tensorrt", "tensorflow", "onnx", "pytorch", "triton"}),
}
METRICS = frozenset({"concurrency", "rps", "cpu", "memory"})
LONGEST_LABEL = 63


def faults(bundle: Bundle) -> Iterator[Fault]:
    flags = bundle.features.get("serving", frozenset())
    for one in bundle.of("InferenceService", GROUP):
        mode = one.annotations().get(MODE)
        yield from _name(one)
        yield from _mode(one, mode)
        for part in ("predictor", "transformer", "explainer"):
            spec, at = one.map("spec", part), f"spec.{part}"
            yield from _scale(one, spec, at, mode)
            if mode == "Knative":
                yield from serving.pod_flags(one, spec, at, flags)
        yield from serving.annotations(one)
        yield from _canary(one, mode)
        yield from _predictor(one)
        yield from _storage(one, bundle)
        yield from _runtime(one, bundle)
    for one in bundle.objects:
        if one.group == GROUP and one.kind in ("ServingRuntime", "ClusterServingRuntime"):
            yield from _adapters(one, bundle)


def _name(one: Object) -> Iterator[Fault]:
    if not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", one.name):
        yield one.fault("metadata.name", "must match [a-z]([-a-z0-9]*[a-z0-9])?")
    # The host's first label is NAME-predictor-NAMESPACE, and a revision is NAME-predictor-00001.
    longest = max(len(f"{one.name}-transformer-{one.namespace}"), len(f"{one.name}-transformer-00001"))
    if longest > LONGEST_LABEL:
        yield one.fault(
            "metadata.name", f"with what KServe adds it has {longest} characters; DNS takes {LONGEST_LABEL}"
        )


def _mode(one: Object, mode: Any) -> Iterator[Fault]:
    at = f"metadata.annotations[{MODE}]"
    if mode in FORMER_MODES:
        yield one.fault(at, f"is deprecated; it is {FORMER_MODES[mode]} now")
    elif mode not in MODES:
        yield one.fault(at, f"must be one of {', '.join(sorted(MODES))}; upstream's defaults disagree")


def _scale(one: Object, spec: Mapping[str, Any], at: str, mode: Any) -> Iterator[Fault]:
    least, most = spec.get("minReplicas"), spec.get("maxReplicas")
    if isinstance(least, int) and isinstance(most, int) and 0 < most < least:
        yield one.fault(f"{at}.minReplicas", "is above maxReplicas")
    if least == 0 and mode == "Standard" and one.annotations().get(f"{GROUP}/autoscalerClass") != "keda":
        yield one.fault(f"{at}.minReplicas", "the HPA of Standard mode lifts it to 1; only KEDA scales to zero")
    if spec.get("scaleMetric") not in METRICS | {None}:
        yield one.fault(f"{at}.scaleMetric", f"must be one of {', '.join(sorted(METRICS))}")
    timeout = spec.get("timeout")
    if mode == "Knative" and isinstance(timeout, int) and timeout > serving.MAX_TIMEOUT_SECONDS:
        yield one.fault(f"{at}.timeout", f"Knative takes at most {serving.MAX_TIMEOUT_SECONDS} seconds")


def _canary(one: Object, mode: Any) -> Iterator[Fault]:
    at = "spec.predictor.canaryTrafficPercent"
    percent = one.get("spec", "predictor", "canaryTrafficPercent")
    if isinstance(percent, int) and not 0 <= percent <= 100:
        yield one.fault(at, "must lie in 0..100")
    if percent is not None and mode != "Knative":
        yield one.fault(at, "is read in Knative mode only")
    weights = [row.get("trafficPercent") or 0 for _, row in rows(one.get("spec", "canary"))]
    if weights and mode != "Standard":
        yield one.fault("spec.canary", "is read in Standard mode only")
    if sum(weights) > 100:
        yield one.fault("spec.canary", f"the percentages add up to {sum(weights)}")


def _predictor(one: Object) -> Iterator[Fault]:
    predictor = one.map("spec", "predictor")
    chosen = [name for name in predictor if name in FRAMEWORKS and predictor[name] is not None]
    own = [n for n, row in rows(predictor.get("containers")) if row.get("name") == "kserve-container"]
    if len(chosen) + len(own) > 1:
        yield one.fault("spec.predictor", f"has several predictors: {', '.join(chosen + ['containers'] * len(own))}")
    if not chosen and not predictor.get("containers") and not predictor.get("workerSpec"):
        yield one.fault("spec.predictor", "has no model and no container")
    for part in ("predictor", "transformer", "explainer"):
        for n, container in rows(one.get("spec", part, "containers")):
            if not container.get("image"):
                yield one.fault(f"spec.{part}.containers[{n}].image", "is required")


def _storage(one: Object, bundle: Bundle) -> Iterator[Fault]:
    model, at = one.map("spec", "predictor", "model"), "spec.predictor.model"
    several = [(f"{at}.storageUris[{n}].uri", row.get("uri")) for n, row in rows(model.get("storageUris"))]
    places = [*several, *([(f"{at}.storageUri", model["storageUri"])] if model.get("storageUri") else [])]
    if several and model.get("storageUri"):
        yield one.fault(f"{at}.storageUri", "excludes storageUris")
    for where, uri in places:
        scheme = str(uri or "").partition("://")[0]
        if scheme not in SCHEMES:
            yield one.fault(where, f"KServe cannot fetch this; it knows {', '.join(sorted(SCHEMES))}")
        if scheme == "s3":
            yield from _credentials(one, bundle)


def _credentials(one: Object, bundle: Bundle) -> Iterator[Fault]:
    named = str(one.get("spec", "predictor", "serviceAccountName") or "")
    account = bundle.find("ServiceAccount", "", named)
    at = "spec.predictor.serviceAccountName"
    if not named:
        yield one.fault(at, "is required for s3://: the storage initializer takes its credentials from there")
    elif account and not account.get("secrets") and "eks.amazonaws.com/role-arn" not in account.annotations():
        yield account.fault("secrets", f"{one.title} fetches from s3://, but the account lists no secret and no role")


def _runtime(one: Object, bundle: Bundle) -> Iterator[Fault]:
    model, at = one.map("spec", "predictor", "model"), "spec.predictor.model"
    if not model:
        return
    named, form = model.get("runtime"), str(dig(model, "modelFormat", "name") or "")
    ours = {
        runtime.name: runtime
        for runtime in bundle.objects
        if runtime.group == GROUP and runtime.kind in ("ServingRuntime", "ClusterServingRuntime")
    }
    if named is None:
        if not any(
            form in formats for formats in (*UPSTREAM.values(), *(_formats(x, auto=True) for x in ours.values()))
        ):
            yield one.fault(f"{at}.modelFormat.name", "no runtime takes this format")
        return
    if named not in ours and named not in UPSTREAM:
        yield one.fault(f"{at}.runtime", "there is no such ServingRuntime")
        return
    formats = _formats(ours[named]) if named in ours else UPSTREAM[named]
    if form not in formats:
        yield one.fault(f"{at}.modelFormat.name", f"the runtime {named} does not take this format")
    protocols = ours[named].get("spec", "protocolVersions") if named in ours else None
    spoken = model.get("protocolVersion", "v1")
    if protocols and spoken not in protocols:
        yield one.fault(f"{at}.protocolVersion", f"the runtime {named} speaks {', '.join(protocols)}")


def _formats(runtime: Object, *, auto: bool = False) -> frozenset[str]:
    formats = rows(runtime.get("spec", "supportedModelFormats"))
    return frozenset(str(row.get("name")) for _, row in formats if row.get("autoSelect") or not auto)


def _adapters(runtime: Object, bundle: Bundle) -> Iterator[Fault]:
    """A LoRA must not be named as its InferenceService is: that name serves the base model."""
    services = {
        one.name
        for one in bundle.of("InferenceService", GROUP)
        if one.get("spec", "predictor", "model", "runtime") == runtime.name
    }
    for n, container in rows(runtime.get("spec", "containers")):
        if not container.get("image"):
            yield runtime.fault(f"spec.containers[{n}].image", "is required")
        words = [str(word) for word in container.get("args") or () if "=" in str(word)]
        for word in words:
            name = word.removeprefix("--lora-modules=").partition("=")[0]
            if name in services and not word.startswith("--served-model-name"):
                yield runtime.fault(f"spec.containers[{n}].args", f"the adapter {name} has its InferenceService's name")
