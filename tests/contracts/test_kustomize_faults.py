"""Four things that kustomize does in silence to kinds that it does not know, on what it renders from our own base."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.manifests import build, check, schemas
from tests.manifests.objects import Bundle

SCHEMAS = schemas.Schemas(schemas.folder())
NAMES = build.ROOT / "kustomize" / "base" / "knative-names.yaml"
RECORD, TRIGGER = "Service.serving.knative.dev/record", "Trigger.eventing.knative.dev/record-findings"
SETTINGS = [{"name": "limits", "literals": ["RECORD_CLUSTER=one"]}]
IMAGE = "llama-mapper-record"


def rendered(folder: Path, **overlay: Any) -> Bundle:
    """A function, its Broker and Trigger, under an overlay that says *overlay* as well."""
    pod = {"containers": [{"name": "record", "image": IMAGE, "envFrom": [{"configMapRef": {"name": "limits"}}]}]}
    ref = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "record"}
    spec = {"broker": "default", "subscriber": {"ref": ref, "uri": "/events"}}
    documents = [
        {**ref, "metadata": {"name": "record"}, "spec": {"template": {"spec": pod}}},
        {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "metadata": {"name": "default"}},
        {
            "apiVersion": "eventing.knative.dev/v1",
            "kind": "Trigger",
            "metadata": {"name": "record-findings"},
            "spec": spec,
        },
    ]
    documents[0].pop("name")
    (folder / "all.yaml").write_text(yaml.safe_dump_all(documents))
    (folder / "knative-names.yaml").write_text(NAMES.read_text("utf-8"))
    overlay = {"resources": ["all.yaml"], "configMapGenerator": SETTINGS, **overlay}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    return build.build(folder)


def faults(bundle: Bundle) -> set[tuple[str, str]]:
    return {(one.object, one.field) for one in check.faults(bundle, SCHEMAS)}


def test_a_hashed_name_that_is_not_followed_is_caught(tmp_path: Path) -> None:
    at = "spec.template.spec.containers[0].envFrom[0].configMapRef.name"
    assert faults(rendered(tmp_path)) == {(RECORD, at)}


def test_our_name_references_follow_a_hash_and_a_prefix(tmp_path: Path) -> None:
    bundle = rendered(tmp_path, namePrefix="dev-", configurations=["knative-names.yaml"])
    assert {one.name.startswith("dev-") for one in bundle.objects} == {True}
    assert faults(bundle) == set()


def test_a_prefix_that_is_not_followed_is_caught(tmp_path: Path) -> None:
    prefixed = {(title.replace("/", "/dev-"), at) for title, at in (
        (RECORD, "spec.template.spec.containers[0].envFrom[0].configMapRef.name"),
        (TRIGGER, "spec.broker"),
        (TRIGGER, "spec.subscriber.ref.name"),
    )}  # fmt: skip
    assert faults(rendered(tmp_path, namePrefix="dev-")) == prefixed


def merge(**container: Any) -> str:
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "record", **container}]}}}}
    named = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "record"}}
    return json.dumps({**named, **patch})


def test_a_merge_patch_that_loses_the_image_is_caught(tmp_path: Path) -> None:
    patches = [{"patch": merge(env=[{"name": "RECORD_CLUSTER", "value": "two"}])}]
    bundle = rendered(tmp_path, configurations=["knative-names.yaml"], patches=patches)
    assert (RECORD, "spec.template.spec.containers[0].image") in faults(bundle)


def test_a_json_patch_keeps_the_image(tmp_path: Path) -> None:
    operation = {"op": "add", "path": "/spec/template/spec/timeoutSeconds", "value": 60}
    target = {"group": "serving.knative.dev", "kind": "Service", "name": "record"}
    patches = [{"patch": json.dumps([operation]), "target": target}]
    assert faults(rendered(tmp_path, configurations=["knative-names.yaml"], patches=patches)) == set()


@pytest.mark.skipif(schemas.folder() is None, reason="only the CRD's schema can tell, and it is not here")
def test_labels_that_become_selectors_are_caught(tmp_path: Path) -> None:
    labels = [{"pairs": {"app.kubernetes.io/part-of": "x"}, "includeSelectors": True}]
    bundle = rendered(tmp_path, configurations=["knative-names.yaml"], labels=labels)
    assert (RECORD, "spec.selector") in faults(bundle)


def test_labels_of_templates_are_no_selectors(tmp_path: Path) -> None:
    labels = [{"pairs": {"app.kubernetes.io/part-of": "x"}, "includeTemplates": True}]
    assert faults(rendered(tmp_path, configurations=["knative-names.yaml"], labels=labels)) == set()


def test_images_reach_knative_services(tmp_path: Path) -> None:
    digest = f"sha256:{'a' * 64}"
    bundle = rendered(tmp_path, images=[{"name": IMAGE, "newName": f"registry.example/{IMAGE}", "digest": digest}])
    service = bundle.find("Service", "serving.knative.dev", "record")
    assert service is not None
    assert service.get("spec", "template", "spec", "containers", 0, "image") == f"registry.example/{IMAGE}@{digest}"
