"""The kind Canary: its CRD and its models say the same."""

import json
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from llama_mapper.contracts import canaries
from llama_mapper.contracts.canaries import CanarySpec, CanaryStatus
from tests.fakes.kserve import CANDIDATE, STABLE, crd, schema
from tests.manifests.strict import strict

SPEC: dict[str, Any] = {
    "inferenceService": "mapper",
    "storageUri": CANDIDATE,
    "stableStorageUri": STABLE,
    "adapter": "candidate-1",
    "mode": "gitops",
    "paused": True,
    "override": "rollback",
}
AT = "2026-11-20T10:00:00Z"
CALLS = {"stable": 950, "candidate": 50}
STATUS: dict[str, Any] = {
    "phase": "Progressing",
    "step": 2,
    "percent": 25,
    "stepStartedAt": AT,
    "revisions": {"stable": "mapper-predictor-00001", "candidate": "mapper-predictor-00002"},
    "lastVerdict": {"decision": "hold", "reason": "Collecting", "reasons": ["errors: open"], "calls": CALLS, "at": AT},
    "golden": {
        "evaluationId": "evaluation-1",
        "goldenSet": "unseen",
        "goldenSetVersion": "2026.11",
        "cases": 400,
        "metrics": {"macro-f1": 0.9},
        "gatesPassed": ["coverage"],
        "gatesFailed": ["macro-f1"],
        "at": AT,
    },
    "intent": {
        "eventId": "canary:1:3",
        "fromPercent": 25,
        "toPercent": 50,
        "decision": "promote",
        "reason": "NotWorse",
        "generation": 4,
        "calls": CALLS,
        "at": AT,
    },
    "conditions": [
        {
            "type": "Progressing",
            "status": "True",
            "reason": "Collecting",
            "message": "",
            "lastTransitionTime": AT,
            "observedGeneration": 1,
        }
    ],
    "observedGeneration": 1,
}
CRD = jsonschema.Draft202012Validator(strict(schema(), knative=False))


def body(spec: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "llama-mapper.io/v1alpha1", "kind": "Canary", "metadata": {}, "spec": spec, "status": status}


def properties(of: str) -> set[str]:
    return set(schema()["properties"][of]["properties"])


def test_the_crd_is_of_the_kind_that_the_code_asks_for() -> None:
    spec = crd()["spec"]
    (version,) = spec["versions"]
    named = (spec["group"], version["name"], spec["names"]["plural"], spec["names"]["kind"])
    assert named == (canaries.GROUP, canaries.VERSION, canaries.PLURAL, canaries.KIND)
    assert version["subresources"] == {"status": {}}


def test_every_field_of_the_models_is_in_the_crd_and_no_other() -> None:
    assert set(SPEC) == properties("spec") == {field.alias for field in CanarySpec.model_fields.values()}
    assert set(STATUS) == properties("status") == {field.alias for field in CanaryStatus.model_fields.values()}


def test_what_the_models_write_fits_the_crd_whole() -> None:
    spec, status = CanarySpec.model_validate(SPEC), CanaryStatus.model_validate(STATUS)
    assert (spec.manifest(), status.manifest()) == (SPEC, STATUS)
    CRD.validate(json.loads(json.dumps(body(spec.manifest(), status.manifest()))))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("inferenceService", "Not A Name"),
        ("storageUri", "a folder"),
        ("storageUri", "s3://bucket/" + "a" * 440),
        ("adapter", "two words"),
        ("mode", "sometimes"),
        ("override", "later"),
    ],
)
def test_what_one_refuses_the_other_refuses(field: str, value: str) -> None:
    spec = SPEC | {field: value}
    assert not CRD.is_valid(body(spec, {}))
    with pytest.raises(ValidationError):
        CanarySpec.model_validate(spec)


def test_the_columns_of_kubectl_get_exist() -> None:
    (version,) = crd()["spec"]["versions"]
    for column in version["additionalPrinterColumns"]:
        found: Any = schema()["properties"]
        parts = column["jsonPath"].strip(".").split(".")
        if parts[0] == "metadata":
            continue
        for part in parts:
            found = found[part].get("properties", found[part])
        assert found["type"] == column["type"]
