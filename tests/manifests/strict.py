"""A CRD's schema as a JSON Schema that is as strict as an API server, and stricter where the CRD is blind.

Knative's CRDs say ``x-kubernetes-preserve-unknown-fields`` where its Go types know better: there a misspelt field
passes the API server and is then ignored. The types that we use are written out here.
"""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

BLIND = "x-kubernetes-preserve-unknown-fields"
_KEYWORDS = frozenset({"nullable", "default", "description", "example"})


def closed(properties: Mapping[str, Any]) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": dict(properties)}


TEXT: Schema = {"type": "string"}
STRINGS: Schema = {"type": "object", "additionalProperties": TEXT}
METADATA = closed(
    dict.fromkeys(("name", "generateName", "namespace", "uid", "resourceVersion"), TEXT)
    | dict.fromkeys(("labels", "annotations"), STRINGS)
    | {
        "finalizers": {"type": "array", "items": TEXT},
        "ownerReferences": {"type": "array", "items": {"type": "object"}},
        "generation": {"type": "integer"},
        "creationTimestamp": {"type": ["string", "null"]},
    }
)
DESTINATION = closed(
    {"ref": closed(dict.fromkeys(("apiVersion", "kind", "name", "namespace", "group", "address"), TEXT))}
    | dict.fromkeys(("uri", "CACerts", "audience"), TEXT)
)
# knative.dev/eventing/pkg/apis/duck/v1 DeliverySpec
DELIVERY = closed(
    dict.fromkeys(("backoffPolicy", "backoffDelay", "timeout", "retryAfterMax", "format"), TEXT)
    | {"retry": {"type": "integer", "minimum": 0}, "deadLetterSink": DESTINATION}
)
_AGAIN: Schema = {"$ref": "#/$defs/filter"}
# knative.dev/eventing/pkg/apis/eventing/v1 SubscriptionsAPIFilter
FILTER = closed(
    dict.fromkeys(("exact", "prefix", "suffix"), STRINGS)
    | {key: {"type": "array", "items": _AGAIN} for key in ("all", "any")}
    | {"not": _AGAIN, "cesql": TEXT}
)
# What a CRD keeps open, by the field's name, as Knative's Go types have it.
_KNOWN: Mapping[str, Schema] = {
    **dict.fromkeys(("exact", "prefix", "suffix", "attributes", "matchLabels", "extensions"), STRINGS),
    **dict.fromkeys(("all[]", "any[]", "not"), _AGAIN),
    "delivery": DELIVERY,
}


def strict(schema: Schema, *, knative: bool) -> Schema:
    """Return a JSON Schema for a CRD's ``openAPIV3Schema``: a field it does not name is an error.

    Args:
        knative: whether the kind is Knative's, so that what its CRD keeps open is known by the field's name.
    """
    return {**_strict(schema, _KNOWN if knative else {}, root=True), "$defs": {"filter": FILTER}}


def _strict(schema: Any, known: Mapping[str, Schema], *, name: str = "", root: bool = False) -> Any:
    if not isinstance(schema, dict):
        return schema
    blind = schema.get(BLIND) is True
    if blind and name in known:
        return known[name]
    result = _values(schema)
    if "items" in result:
        result["items"] = _strict(schema["items"], known, name=f"{name}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        result["additionalProperties"] = _strict(schema["additionalProperties"], known)
    if "properties" in schema:
        result["properties"] = {key: _strict(value, known, name=key) for key, value in schema["properties"].items()}
    if schema.get("type") == "object":
        if root or schema.get("x-kubernetes-embedded-resource"):
            own = {"apiVersion": TEXT, "kind": TEXT, "metadata": METADATA}
            result["properties"] = result.get("properties", {}) | own
        if "additionalProperties" not in result and (not blind or schema.get("properties")):
            result["additionalProperties"] = False
    return result


def _values(schema: Schema) -> Schema:
    """What the schema says of a value itself. ``allOf`` and its like never add a field, so they stay open."""
    result = {
        key: value for key, value in schema.items() if key not in _KEYWORDS and not key.startswith("x-kubernetes")
    }
    if schema.get("x-kubernetes-int-or-string"):
        result.pop("anyOf", None)
        result["type"] = ["integer", "string"]
    for key in ("allOf", "anyOf", "oneOf"):
        if key in result:
            result[key] = [_open(inner) for inner in result[key]]
    if "not" in result:
        result["not"] = _open(result["not"])
    if schema.get("nullable") and isinstance(result.get("type"), str):
        result["type"] = [result["type"], "null"]
    if result.get("format") != "date-time":
        result.pop("format", None)  # int32 and its like are no JSON Schema formats
    return result


def _open(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    result = _values(schema)
    if "properties" in result:
        result["properties"] = {key: _open(value) for key, value in result["properties"].items()}
    if "items" in result:
        result["items"] = _open(result["items"])
    return result
