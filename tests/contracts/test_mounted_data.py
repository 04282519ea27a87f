"""What is mounted from ConfigMaps is what lies in the folders."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

from mapper_serving.vocabulary import Vocabularies, read_all

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


def test_every_framework_is_mounted() -> None:
    document = yaml.safe_load((ROOT / "functions" / "kustomization.yaml").read_text("utf-8"))
    generated = next(each for each in document["configMapGenerator"] if each["name"] == "frameworks")
    folder = ROOT / "functions" / "analyze" / "frameworks"
    assert sorted(generated["files"]) == sorted(f"analyze/frameworks/{path.name}" for path in folder.glob("*.yaml"))


def test_what_a_cluster_mounts_is_read_from_where_it_is_mounted(tmp_path: Path) -> None:
    """Another version, in a file that the environment names, is the one that a process answers with."""
    text = (ROOT / "shared" / "llama_mapper" / "taxonomy" / "taxonomy.yaml").read_text("utf-8")
    mounted = tmp_path / "taxonomy.yaml"
    mounted.write_text(re.sub(r"^version: .*$", 'version: "2099.01"', text, count=1, flags=re.MULTILINE), "utf-8")
    asked = "from llama_mapper.taxonomy import current_version, load; print(current_version(), load().version)"
    environment = {**os.environ, "LLAMA_MAPPER_TAXONOMY": str(mounted)}
    done = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2099.01", "2099.01"]


def test_each_config_map_fits_the_annotation_that_apply_leaves() -> None:
    for files in _generated().values():
        size = sum(len((ROOM / name).read_text("utf-8").replace("\n", "\\n").replace('"', '\\"')) for name in files)
        assert size < 0.9 * ANNOTATIONS


def test_the_taxonomy_fits_too() -> None:
    text = (ROOT / "shared" / "llama_mapper" / "taxonomy" / "taxonomy.yaml").read_text("utf-8")
    assert len(text.replace("\n", "\\n").replace('"', '\\"')) < 0.9 * ANNOTATIONS


def test_the_classifiers_words_are_those_of_their_vocabularies() -> None:
    patch = yaml.safe_load(
        (ROOT / "kustomize/components/classifier-detectors/orchestrate-asks.yaml").read_text("utf-8")
    )
    told = {row["value"]["name"]: json.loads(row["value"]["value"]) for row in patch}
    vocabularies = Vocabularies(read_all(ROOM / "vocabularies"))
    assert set(told["ORCHESTRATION_MODEL_HEADS"]) == set(told["ORCHESTRATION_MODEL_SERVERS"])
    for detector, head in told["ORCHESTRATION_MODEL_HEADS"].items():
        for word in head["classes"]:
            assert vocabularies.lookup(detector, head["version"], word), (detector, word)


def test_the_frameworks_fit_too() -> None:
    folder = ROOT / "functions" / "analyze" / "frameworks"
    text = "".join(path.read_text("utf-8") for path in folder.glob("*.yaml"))
    assert len(text.replace("\n", "\\n").replace('"', '\\"')) < 0.9 * ANNOTATIONS, "mount them as two ConfigMaps"
