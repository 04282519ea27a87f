"""What is mounted from ConfigMaps is what lies in the folders."""

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
ROOM = ROOT / "inference-services" / "mapper"
# Client-side `kubectl apply` keeps a copy in an annotation, and all annotations have at most 256 KiB.
ANNOTATIONS = 256 * 1024


def _generated() -> dict[str, list[str]]:
    document = yaml.safe_load((ROOM / "kustomization.yaml").read_text("utf-8"))
    return {each["name"]: each["files"] for each in document["configMapGenerator"]}


def test_every_vocabulary_is_mounted_once() -> None:
    generated = _generated()
    listed = [*generated["vocabularies"], *generated["vocabularies-secrets"]]
    assert sorted(listed) == sorted(f"vocabularies/{path.name}" for path in (ROOM / "vocabularies").glob("*.yaml"))


def test_each_config_map_fits_the_annotation_that_apply_leaves() -> None:
    for files in _generated().values():
        size = sum(len((ROOM / name).read_text("utf-8").replace("\n", "\\n").replace('"', '\\"')) for name in files)
        assert size < 0.9 * ANNOTATIONS
