"""Manifests as objects that can be asked for a field and can say where a fault is."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

BUILT_IN_GROUPS = frozenset({"", "apps", "autoscaling", "batch", "policy"})


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong. ``field`` is a path such as ``spec.traffic[0].percent``, never a value."""

    file: str
    object: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.object}: {self.field}: {self.message}"


@dataclass(frozen=True, slots=True)
class Object:
    """One manifest. Fields are read leniently: a wrong shape is the schema's to report, not a crash here."""

    body: Mapping[str, Any]
    file: str = "-"

    @property
    def version(self) -> str:
        return str(self.body.get("apiVersion", ""))

    @property
    def group(self) -> str:
        return self.version.rpartition("/")[0]

    @property
    def kind(self) -> str:
        return str(self.body.get("kind", ""))

    @property
    def name(self) -> str:
        return str(self.get("metadata", "name") or "")

    @property
    def namespace(self) -> str:
        return str(self.get("metadata", "namespace") or "")

    @property
    def title(self) -> str:
        """``Service/record`` alone could be Kubernetes' or Knative's: other groups than Kubernetes' own are named."""
        group = "" if self.group in BUILT_IN_GROUPS or self.group.endswith(".k8s.io") else f".{self.group}"
        return f"{self.kind}{group}/{self.name}"

    def get(self, *path: str | int) -> Any:
        return dig(self.body, *path)

    def map(self, *path: str | int) -> Mapping[str, Any]:
        found = self.get(*path)
        return found if isinstance(found, Mapping) else {}

    def annotations(self, *above: str) -> Mapping[str, Any]:
        return self.map(*above, "metadata", "annotations")

    def fault(self, at: str, message: str) -> Fault:
        return Fault(self.file, self.title, at, message)


@dataclass(frozen=True, slots=True)
class Bundle:
    """What one ``kubectl apply -k`` would apply. ``production`` sets are held to more."""

    objects: Sequence[Object]
    name: str = "-"
    production: bool = False
    features: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Feature flags that the cluster has on, by ``serving`` and ``eventing``."""

    def of(self, kind: str, group: str = "") -> Iterator[Object]:
        return (one for one in self.objects if one.kind == kind and one.group == group)

    def find(self, kind: str, group: str, name: str) -> Object | None:
        return next((one for one in self.of(kind, group) if one.name == name), None)


def dig(value: Any, *path: str | int) -> Any:
    """Return what stands at *path*, or None where anything on the way is missing or of another shape."""
    for part in path:
        if isinstance(value, Mapping) and isinstance(part, str):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def rows(value: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The mappings of a list with their places; nothing where it is no list."""
    return ((n, row) for n, row in enumerate(value if isinstance(value, list) else ()) if isinstance(row, Mapping))


class _OnceOnly(yaml.CSafeLoader):
    """YAML in which a key that stands twice is an error, as in ``kubectl apply --validate=strict``."""


def _mapping(loader: _OnceOnly, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key} stands twice", key_node.start_mark)
        seen.add(key)
    loader.flatten_mapping(node)
    return yaml.constructor.SafeConstructor.construct_mapping(loader, node, deep)


_OnceOnly.add_constructor("tag:yaml.org,2002:map", _mapping)


def read(text: str, files: Mapping[tuple[str, str], str] | None = None) -> list[Object]:
    """Read manifests; *files* says in which file an object of a kind and name is written.

    Raises:
        yaml.YAMLError: not YAML, or a key stands twice; the message has the line.
    """
    documents = (body for body in yaml.load_all(text, Loader=_OnceOnly) if body)
    objects = [Object(body) for body in documents]
    return [Object(one.body, _file(one, files or {})) for one in objects]


def _file(one: Object, files: Mapping[tuple[str, str], str]) -> str:
    unhashed = re.sub(r"-[a-z0-9]{10}$", "", one.name)
    return files.get((one.kind, one.name)) or files.get((one.kind, unhashed)) or "(rendered)"


def written(root: Path, rooms: Sequence[str]) -> dict[tuple[str, str], str]:
    """Where each object is written: (kind, name) to the file; a base's file wins over a patch's."""
    found: dict[tuple[str, str], str] = {}
    for path in sorted(path for room in rooms for path in (root / room).rglob("*.yaml")):
        text = path.read_text("utf-8")
        if not re.search(r"^kind:", text, re.MULTILINE):
            continue
        where = str(path.relative_to(root))
        for document in re.split(r"^---$", text, flags=re.MULTILINE):
            kind = re.search(r"^kind: *(\S+)", document, re.MULTILINE)
            name = re.search(r"^metadata:.*?\bname: *[\"']?([^\s\"',}]+)", document, re.MULTILINE | re.DOTALL)
            if kind and name:
                found.setdefault((kind[1], name[1]), where)
            elif kind and kind[1] in ("Kustomization", "Component"):
                for generated in re.findall(r"^ *- name: *(\S+)", document, re.MULTILINE):
                    found.setdefault(("ConfigMap", generated), where)
    return found
