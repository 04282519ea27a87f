"""Checks objects against Kubernetes' own schemas and the CRDs'.

Kubernetes' come with the package kubernetes-validate. The CRDs are upstream's files in a folder beside the checkout
(``../shared/schemas/crds``, or the one that ``MANIFEST_SCHEMAS`` names); without it custom kinds go unchecked, and
are counted as such.
"""

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import cel
import jsonschema
import yaml

from . import kubernetes
from .objects import Fault, Object, dig, rows
from .strict import Schema, strict

ROOT = Path(__file__).parents[2]
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
# Knative's own fields in what is otherwise a Kubernetes PodSpec.
_REVISION = frozenset({"containerConcurrency", "timeoutSeconds", "responseStartTimeoutSeconds", "idleTimeoutSeconds"})


def folder() -> Path | None:
    """Where the CRDs lie, or None where they are not to be had."""
    named = os.environ.get("MANIFEST_SCHEMAS")
    found = Path(named) if named else ROOT.parent / "shared" / "schemas" / "crds"
    return found if found.is_dir() else None


class Schemas:
    """The schemas of every kind; each CRD is read when the first object of its kind comes."""

    def __init__(self, crds: Path | None, kept: Path = ROOT / ".cache" / "schemas") -> None:
        self._crds, self._kept = crds, kept
        self.asked: Counter[bool | None] = Counter()
        """How many CEL rules held, did not, or could not be asked (None)."""
        self.unasked: set[str] = set()
        self._validators: dict[tuple[str, str], jsonschema.Draft202012Validator] = {}

    def knows(self, one: Object) -> bool:
        return (one.group, one.kind) in self._texts or kubernetes.knows(one.version, one.kind)

    def faults(self, one: Object) -> Iterator[Fault]:
        if (one.group, one.kind) in self._texts:
            yield from self._custom(one)
        elif kubernetes.knows(one.version, one.kind):
            yield from _kubernetes(one, one.body)
        elif self._crds is not None:
            yield one.fault("kind", f"no schema knows {one.version} {one.kind}")

    @cached_property
    def _texts(self) -> Mapping[tuple[str, str], str]:
        """Each CRD's text by group and kind. Most are never parsed: together they are 15 MB."""
        found: dict[tuple[str, str], str] = {}
        upstream = sorted(self._crds.rglob("*.yaml")) if self._crds else []
        for path in (*sorted((ROOT / "kustomize" / "cluster").glob("*.yaml")), *upstream):
            for text in re.split(r"^---.*$", path.read_text("utf-8"), flags=re.MULTILINE):
                group = re.search(r"^  group: *\"?([^\s\"]+)", text, re.MULTILINE)
                kind = re.search(r"^    kind: *\"?([^\s\"]+)", text, re.MULTILINE)
                if group and kind:
                    found.setdefault((group[1], kind[1]), text)
        return found

    def _definition(self, one: Object) -> dict[str, Any]:
        """The CRD's ``spec``, kept as JSON once read: parsing 2 MB of YAML takes seconds."""
        text = self._texts[one.group, one.kind]
        kept = self._kept / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
        if kept.is_file():
            return dict(json.loads(kept.read_text("utf-8")))
        spec: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)["spec"]
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(spec), "utf-8")
        part.replace(kept)
        return spec

    def _custom(self, one: Object) -> Iterator[Fault]:
        definition = self._definition(one)
        versions = {f"{one.group}/{version['name']}": version for version in definition["versions"]}
        version = versions.get(one.version)
        if version is None or not version["served"]:
            yield one.fault("apiVersion", "this version is not served")
            return
        yield from _named(one, definition["scope"] == "Cluster")
        schema: Schema = version["schema"]["openAPIV3Schema"]
        key = (one.version, one.kind)
        if key not in self._validators:
            whole = strict(schema, knative=one.group.endswith("knative.dev"))
            self._validators[key] = jsonschema.Draft202012Validator(whole)
        for error in self._validators[key].iter_errors(one.body):
            yield from _explained(one, error)
        for at, rule, holds in _rules(schema, one.body, ""):
            self.asked[holds] += 1
            if holds is None:
                self.unasked.add(rule["rule"])
            elif not holds:
                message = str(rule.get("message") or f"breaks the rule {rule['rule']}")[:160]
                yield one.fault(at or "(all)", message)
        for at, core in _embedded(one):
            yield from _kubernetes(one, core, at)


def _named(one: Object, cluster: bool) -> Iterator[Fault]:
    if not _NAME.fullmatch(one.name) or len(one.name) > 253:
        yield one.fault("metadata.name", "must be an RFC 1123 subdomain")
    if cluster and one.namespace:
        yield one.fault("metadata.namespace", "the kind is cluster-scoped")


def _explained(one: Object, error: jsonschema.ValidationError, above: str = "") -> Iterator[Fault]:
    at = ".".join(part for part in (above, path(error.absolute_path)) if part)
    if error.validator == "additionalProperties" and isinstance(error.instance, Mapping):
        known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
        for key in (key for key in error.instance if key not in known):
            yield one.fault(f"{at}.{key}".lstrip("."), "unknown field")
    elif error.validator == "required":
        wanted = error.schema.get("required", ()) if isinstance(error.schema, dict) else ()
        there = error.instance if isinstance(error.instance, Mapping) else {}
        for key in (key for key in wanted if key not in there):
            yield one.fault(f"{at}.{key}".lstrip("."), "is required")
    else:
        yield one.fault(at or "(all)", error.message[:160])


def path(parts: Any) -> str:
    """``spec.traffic[0].percent`` of a path's parts."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")


def _kubernetes(one: Object, body: Mapping[str, Any], at: str = "") -> Iterator[Fault]:
    for error in kubernetes.errors(str(body["apiVersion"]), str(body["kind"]), body):
        yield from _explained(one, error, at)


def _embedded(one: Object) -> Iterator[tuple[str, dict[str, Any]]]:
    """Kubernetes' own types where Knative's CRDs leave them open, as objects of their own."""
    job, revision = one.get("spec", "job"), one.get("spec", "template", "spec")
    if one.kind == "JobSink" and isinstance(job, Mapping):
        yield "spec.job", {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "job"}, **job}
    if one.group == "serving.knative.dev" and isinstance(revision, Mapping):
        pod = {key: value for key, value in revision.items() if key not in _REVISION}
        pod["containers"] = [_container(n, container) for n, container in rows(revision.get("containers"))]
        yield "spec.template", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": pod}


def _container(number: int, container: Mapping[str, Any]) -> dict[str, Any]:
    """A container with what Knative fills in: its name, and its port in each probe."""
    filled: dict[str, Any] = {"name": f"container-{number}", **container}
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        for how in ("httpGet", "tcpSocket", "grpc"):
            if isinstance(dig(filled, probe, how), Mapping):
                filled[probe] = {**filled[probe], how: {"port": 8080, **filled[probe][how]}}
    return filled


def _rules(schema: Any, value: Any, at: str) -> Iterator[tuple[str, dict[str, Any], bool | None]]:
    """Each CEL rule for *value* and whether it holds; those that compare with an older object have none to ask."""
    if not isinstance(schema, dict) or value is None:
        return
    for rule in schema.get("x-kubernetes-validations") or ():
        if "oldSelf" not in rule["rule"]:
            yield at, rule, _holds(rule["rule"], value)
    if isinstance(value, dict):
        other = schema.get("additionalProperties")
        for key, inner in value.items():
            yield from _rules(schema.get("properties", {}).get(key, other), inner, f"{at}.{key}".lstrip("."))
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _rules(schema.get("items"), inner, f"{at}[{n}]")


def _holds(rule: str, value: Any) -> bool | None:
    """What the rule says; None where it needs one of Kubernetes' own CEL functions, which are not here."""
    try:
        return bool(cel.evaluate(rule, {"self": value}))
    except (ValueError, TypeError, RuntimeError):
        return None
