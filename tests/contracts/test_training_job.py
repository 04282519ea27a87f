"""The training job's manifest: settings that exist, a program that exists, no rights beyond those it needs."""

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from mapper_training.job_settings import JobSettings
from mapper_training.plan import read_plan
from mapper_training.setting import EXPERIMENTS, ROOM

SCHEMAS = Path(__file__).parents[3] / "shared" / "schemas" / "kubernetes"
JOB = yaml.safe_load((ROOM / "training-job.yaml").read_text("utf-8"))
ACCOUNT = yaml.safe_load((ROOM / "training-service-account.yaml").read_text("utf-8"))
POD = JOB["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]
PREFIX = "MAPPER_TRAINING_"


def said() -> dict[str, Any]:
    """The settings in the manifest, by field; what only a pod knows has a value of its form."""
    found = {one["name"]: one.get("value", "9d1f") for one in CONTAINER["env"]}
    return {name.removeprefix(PREFIX).lower(): value for name, value in found.items() if name.startswith(PREFIX)}


def test_every_setting_in_the_manifest_exists_and_together_they_suffice() -> None:
    assert set(said()) <= set(JobSettings.model_fields)
    assert JobSettings(**said()).fold_names[-1] == "all"


def test_the_experiment_is_there_and_wants_the_gpu_that_is_asked_for() -> None:
    assert read_plan(EXPERIMENTS / said()["experiment"]).device == "cuda"
    assert CONTAINER["resources"]["limits"]["nvidia.com/gpu"] == CONTAINER["resources"]["requests"]["nvidia.com/gpu"]


def test_the_program_exists() -> None:
    *_, option, name = CONTAINER["args"]
    assert option == "-m"
    assert importlib.util.find_spec(name) is not None


def test_a_pod_that_starts_again_has_the_checkpoints_of_the_one_before() -> None:
    run = next(one for one in CONTAINER["env"] if one["name"] == f"{PREFIX}RUN")
    assert run["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.labels['batch.kubernetes.io/controller-uid']"
    assert POD["restartPolicy"] == "OnFailure"


def test_it_has_no_rights_beyond_those_it_needs() -> None:
    assert POD["securityContext"]["runAsNonRoot"]
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not POD["automountServiceAccountToken"]
    assert POD["serviceAccountName"] == ACCOUNT["metadata"]["name"]


def test_what_is_written_has_a_volume_and_its_size_fits_the_pods() -> None:
    volumes = {one["name"]: one for one in POD["volumes"]}
    assert {mount["name"] for mount in CONTAINER["volumeMounts"]} == set(volumes)
    writable = [one["emptyDir"] for one in volumes.values() if "emptyDir" in one]
    on_disk = sum(gibibytes(one["sizeLimit"]) for one in writable if one.get("medium") != "Memory")
    assert on_disk <= gibibytes(CONTAINER["resources"]["limits"]["ephemeral-storage"])
    assert said()["work"] in {mount["mountPath"] for mount in CONTAINER["volumeMounts"]}


def gibibytes(quantity: str) -> int:
    number = re.fullmatch(r"(\d+)Gi", quantity)
    assert number is not None
    return int(number[1])


@pytest.mark.skipif(not SCHEMAS.is_dir(), reason="the Kubernetes schemas are not beside this checkout")
@pytest.mark.parametrize(
    ("manifest", "file", "name"),
    [
        (JOB, "apis_batch_v1.json", "io.k8s.api.batch.v1.Job"),
        (ACCOUNT, "api_v1.json", "io.k8s.api.core.v1.ServiceAccount"),
    ],
    ids=["job", "account"],
)
def test_the_manifest_fits_its_schema_and_has_no_unknown_field(manifest: Any, file: str, name: str) -> None:
    document = json.loads((SCHEMAS / file).read_text("utf-8"))
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    jsonschema.validate(manifest, schema)
    assert list(unknown(manifest, schema, document["components"]["schemas"])) == []


def unknown(value: Any, schema: dict[str, Any], named: dict[str, Any], where: str = "") -> Iterator[str]:
    """Fields that the schema does not name: the API server would drop a misspelt one in silence."""
    schema = named[reference.rpartition("/")[2]] if (reference := _reference(schema)) else schema
    if isinstance(value, list):
        for i, one in enumerate(value):
            yield from unknown(one, schema.get("items", {}), named, f"{where}[{i}]")
    if isinstance(value, dict) and "properties" in schema:
        for key, one in value.items():
            if key not in schema["properties"]:
                yield f"{where}.{key}"
            else:
                yield from unknown(one, schema["properties"][key], named, f"{where}.{key}")


def _reference(schema: dict[str, Any]) -> str:
    """OpenAPI wraps a reference that has a description or a default beside it."""
    whole = schema.get("allOf", [schema])
    return str(whole[0].get("$ref", "")) if len(whole) == 1 else ""


def test_an_unknown_field_would_be_found() -> None:
    named = {"Pod": {"properties": {"name": {"type": "string"}}}}
    schema = {"properties": {"pods": {"items": {"allOf": [{"$ref": "#/x/Pod"}]}}}}
    assert list(unknown({"pods": [{"name": "a", "nmae": "b"}]}, schema, named)) == [".pods[0].nmae"]
