"""What this repository's code says of itself: the rooms' paths, settings and events, which manifests must match."""

import ast
import importlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, TypeAdapter, ValidationError

from llama_mapper.chassis.settings import ServiceSettings
from llama_mapper.contracts.events import EVENTS

from .objects import Bundle, Fault, Object, dig, rows
from .pods import Pod, pods

ROOT = Path(__file__).parents[2]
PORT = 8080
# The function's module of settings, by the name in its image.
_SETTINGS = {"mapper": "mapper_serving.settings"}
_SOURCES = {"mapper": "inference-services/mapper/mapper_serving"}
_OPERATIONS = "shared/llama_mapper/chassis/app.py"
_IMAGE = re.compile(r"(?:^|/)llama-mapper-([a-z-]+?)(?=[:@]|$)")
# Variables that are read by what our code stands on.
_FOREIGN = re.compile(
    r"FUNCTION_(TARGET|SOURCE|SIGNATURE_TYPE)|LLAMA_MAPPER_\w+|K_SINK|K_CE_OVERRIDES|OMP_NUM_THREADS|PYTHON\w+|OTEL_\w+"
    r"|AWS_\w+|HF_\w+|HOME|TMPDIR|WORKERS|SSL_CERT_FILE|POD_\w+|NODE_NAME"
)
_URI = re.compile(r"https?://([a-z0-9-]+)\.[a-z0-9.-]+(?::\d+)?(/.*)?")
EVENT_TYPES = frozenset(event.type for event in EVENTS) | {"dev.knative.sources.ping"}


def faults(bundle: Bundle) -> Iterator[Fault]:
    for pod in pods(bundle):
        for at, container in pod.containers():
            room = room_of(container.get("image"))
            if room in rooms():
                yield from _probes(pod, at, container, room)
                yield from _variables(pod, at, container, room)
                yield from _port(pod, at, container, room)
    for one in bundle.objects:
        yield from _paths(one, bundle)
        yield from _event_types(one)
    if bundle.production:
        yield from _digests(bundle)


@cache
def rooms() -> frozenset[str]:
    """The parts with HTTP routes of our own."""
    return frozenset({path.parent.name for path in ROOT.glob("functions/*/main.py")} | set(_SOURCES))


def room_of(image: Any) -> str:
    """The part that an image holds, by its name; empty where it is not ours."""
    found = _IMAGE.search(str(image or ""))
    return found[1] if found else ""


@cache
def paths(room: str) -> frozenset[str]:
    """The paths that the room's code names: those of its routes, its consumers and of every application of ours."""
    folder = ROOT / _SOURCES.get(room, f"functions/{room}")
    named: set[str] = set()
    for file in (ROOT / _OPERATIONS, *folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("/"):
                named.add(node.value)
    return frozenset(named)


@cache
def settings(room: str) -> Mapping[str, TypeAdapter[Any]]:
    """The room's environment variables, each with what it must be."""
    module = importlib.import_module(_SETTINGS.get(room, f"functions.{room}.settings"))
    found: dict[str, TypeAdapter[Any]] = {}
    for model in vars(module).values():
        if isinstance(model, type) and issubclass(model, ServiceSettings) and model is not ServiceSettings:
            for field, info in model.model_fields.items():
                alias, prefix = info.validation_alias, model.model_config.get("env_prefix", "")
                names = alias.choices if isinstance(alias, AliasChoices) else (f"{prefix}{field}".upper(),)
                kind: Any = info.rebuild_annotation()
                found |= {str(name): TypeAdapter(kind) for name in names}
    return found


def _probes(pod: Pod, at: str, container: Mapping[str, Any], room: str) -> Iterator[Fault]:
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = dig(container, probe, "httpGet", "path")
        if asked is not None and asked not in paths(room):
            yield pod.owner.fault(f"{at}.{probe}.httpGet.path", f"{room} has no such path")


def _variables(pod: Pod, at: str, container: Mapping[str, Any], room: str) -> Iterator[Fault]:
    known, seen = settings(room), set()
    for n, variable in rows(container.get("env")):
        name = str(variable.get("name"))
        if name in seen:
            yield pod.owner.fault(f"{at}.env[{n}].name", f"{name} stands twice")
        seen.add(name)
        if name not in known and not _FOREIGN.fullmatch(name):
            yield pod.owner.fault(f"{at}.env[{n}].name", f"{room} has no setting {name}")
        elif name in known and isinstance(variable.get("value"), str) and not _fits(known[name], variable["value"]):
            yield pod.owner.fault(f"{at}.env[{n}].value", f"is not what {name} takes")


def _fits(kind: TypeAdapter[Any], value: str) -> bool:
    """Whether a variable's text can become the setting: as it is, or as JSON for lists and mappings."""
    for attempt in (kind.validate_strings, kind.validate_json):
        try:
            attempt(value)
        except ValidationError:
            continue
        return True
    return False


def _port(pod: Pod, at: str, container: Mapping[str, Any], room: str) -> Iterator[Fault]:
    """Functions listen where Knative tells them; the mapper on MAPPER_PORT."""
    literal = {row.get("name"): row.get("value") for _, row in rows(container.get("env"))}
    listens = int(literal.get(f"{room.upper()}_PORT") or PORT) if room in _SOURCES else None
    for n, port in rows(container.get("ports")):
        if listens is not None and port.get("containerPort") != listens:
            yield pod.owner.fault(f"{at}.ports[{n}].containerPort", f"{room} listens on {listens}")
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = dig(container, probe, "httpGet", "port")
        if listens is not None and isinstance(asked, int) and asked not in (0, listens):
            yield pod.owner.fault(f"{at}.{probe}.httpGet.port", f"{room} listens on {listens}")


def _paths(one: Object, bundle: Bundle) -> Iterator[Fault]:
    """The paths that events are sent to, against the code of the part that takes them."""
    for at in (("spec", "subscriber"), ("spec", "delivery", "deadLetterSink"), ("spec", "sink")):
        uri, kind, name = one.get(*at, "uri"), one.get(*at, "ref", "kind"), one.get(*at, "ref", "name")
        group = str(one.get(*at, "ref", "apiVersion") or "").rpartition("/")[0]
        target = bundle.find(str(kind), group, str(name)) if kind else None
        if absolute := _URI.fullmatch(str(uri or "")):
            target, uri = _served(absolute[1], bundle), absolute[2]
        room = _room(target) if target else ""
        if room in rooms() and (uri or "/") not in paths(room):
            yield one.fault(f"{'.'.join(at)}.uri", f"{room} has no such path")


def _served(name: str, bundle: Bundle) -> Object | None:
    """The Knative Service of a name, or the InferenceService that it is a part of."""
    whole = re.sub(r"-(predictor|transformer)$", "", name)
    service = bundle.find("Service", "serving.knative.dev", name)
    return service or bundle.find("InferenceService", "serving.kserve.io", whole)


def _room(one: Object) -> str:
    parts = (("spec", "template", "spec"), ("spec", "transformer"), ("spec", "predictor"))
    images = (one.get(*part, "containers", 0, "image") for part in parts)
    return next((room for image in images if (room := room_of(image))), "")


def _event_types(one: Object) -> Iterator[Fault]:
    for at, name in _named_types(one):
        if name not in EVENT_TYPES:
            yield one.fault(at, "no event of this type is in eventing/schemas")


def _named_types(one: Object) -> Iterator[tuple[str, str]]:
    if one.kind in ("Trigger", "EventPolicy"):
        for n, entry in rows(one.get("spec", "filters")):
            yield from _filtered(entry, f"spec.filters[{n}]")
    if one.kind == "EventType":
        if one.get("spec", "type"):
            yield "spec.type", str(one.get("spec", "type"))
        for n, row in rows(one.get("spec", "attributes")):
            if row.get("name") == "type":
                yield f"spec.attributes[{n}].value", str(row.get("value"))
    if overridden := one.get("spec", "ceOverrides", "extensions", "type"):
        yield "spec.ceOverrides.extensions.type", str(overridden)


def _filtered(entry: Mapping[str, Any], at: str) -> Iterator[tuple[str, str]]:
    if named := dig(entry, "exact", "type"):
        yield f"{at}.exact.type", str(named)
    if isinstance(entry.get("not"), Mapping):
        yield from _filtered(entry["not"], f"{at}.not")
    for dialect in ("all", "any"):
        for n, inner in rows(entry.get(dialect)):
            yield from _filtered(inner, f"{at}.{dialect}[{n}]")


def _digests(bundle: Bundle) -> Iterator[Fault]:
    for pod in pods(bundle):
        for at, container in pod.containers():
            image = container.get("image")
            if image and not re.search(r"@sha256:[0-9a-f]{64}$", str(image)):
                yield pod.owner.fault(f"{at}.image", "production takes images by digest")
    for plugin in bundle.of("WasmPlugin", "extensions.istio.io"):
        if not re.search(r"@sha256:[0-9a-f]{64}$", str(plugin.get("spec", "url"))) and not plugin.get("spec", "sha256"):
            yield plugin.fault("spec.url", "production takes images by digest")
