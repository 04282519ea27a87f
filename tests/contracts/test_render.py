"""Every overlay and combination builds, and what it renders has no fault (`make render` prints the same as a table)."""

from functools import cache
from pathlib import Path

import pytest

from tests.manifests import build, check, schemas
from tests.manifests.objects import Bundle

SCHEMAS = schemas.Schemas(schemas.folder())


@cache
def built(folder: Path) -> Bundle:
    return build.build(folder)


def told(bundle: Bundle) -> list[str]:
    return [str(fault) for fault in check.faults(bundle, SCHEMAS)]


@pytest.mark.parametrize("folder", build.targets(), ids=lambda folder: str(folder.relative_to(build.ROOT)))
def test_what_a_set_renders_has_no_fault(folder: Path) -> None:
    assert told(built(folder)) == []


def test_the_examples_of_eventing_have_no_fault() -> None:
    assert told(build.examples()) == []


@pytest.mark.skipif(schemas.folder() is None, reason="upstream's CRDs are not here (MANIFEST_SCHEMAS names them)")
@pytest.mark.parametrize("folder", build.targets(), ids=lambda folder: str(folder.relative_to(build.ROOT)))
def test_no_kind_goes_unchecked(folder: Path) -> None:
    assert [one.title for one in built(folder).objects if not SCHEMAS.knows(one)] == []


def test_a_fault_names_the_file_that_an_object_is_written_in() -> None:
    files = {one.title: one.file for one in built(build.ROOT / "kustomize" / "base").objects}
    assert files["Service.serving.knative.dev/record"] == "functions/record/service.yaml"
    assert files["Broker.eventing.knative.dev/default"] == "eventing/broker.yaml"


def test_a_folder_that_kustomize_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [absent.yaml]\n")
    with pytest.raises(build.BuildError, match=r"absent\.yaml"):
        build.build(tmp_path)
