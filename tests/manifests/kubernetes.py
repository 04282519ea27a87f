"""Kubernetes' own schemas, as the package kubernetes-validate brings them: an unknown field is an error in them."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema
from referencing import Registry, Resource

from .objects import BUILT_IN_GROUPS

_FOLDER = files("kubernetes_validate") / "kubernetes-json-schema" / "v1.37.0-local-strict"


def knows(version: str, kind: str) -> bool:
    return _validator(version, kind) is not None


def errors(version: str, kind: str, body: Mapping[str, Any]) -> Iterator[jsonschema.ValidationError]:
    validator = _validator(version, kind)
    assert validator is not None
    yield from validator.iter_errors(body)


@cache
def _registry() -> Registry[Any]:
    return Resource.from_contents(json.loads((_FOLDER / "_definitions.json").read_text("utf-8"))) @ Registry()


@cache
def _validator(version: str, kind: str) -> jsonschema.Draft202012Validator | None:
    group = version.rpartition("/")[0]
    if group not in BUILT_IN_GROUPS and not group.endswith(".k8s.io"):
        return None
    short = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", version)
    file = _FOLDER / f"{kind.lower()}-{short}.json"
    if not file.is_file():
        return None
    schema = json.loads(file.read_text("utf-8"))
    return jsonschema.Draft202012Validator(schema, registry=Resource.from_contents(schema) @ _registry())
