"""A tiny base and experiment for the job, with the vectors that this checkout has already."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from llama_mapper.registry import SigningKey
from mapper_training.base_model import NAME
from mapper_training.child import environment, interpreter
from tests.fakes import object_store, tiny_llama
from tests.fakes.experiments import STACK, system
from tests.fakes.object_store import ObjectStore

ROOT = Path(__file__).parents[3]
TOKENIZER = ROOT / ".cache" / "models" / NAME
VECTORS = Path(".cache", "training", "vectors.npz")
FIVE = ("gitleaks", "presidio", "llama-guard-3-8b", "azure-content-safety", "openai-moderation")
PLAN = {
    "recipe": {"vendor_limit": 10, "aliases": 10, "varied": 10, "nonsense": 5, "seed": 7},
    "epochs": 6,
    "batch": 4,
    "threads": 1,
    "minutes": None,
    "checkpoint_minutes": 0,
    "gradient_checkpointing": True,
}
WRITE_BASE = (
    "import sys; from pathlib import Path; from tests.fakes.tiny_llama import write_base; "
    "write_base(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))"
)


@dataclass
class Job:
    """What the job is given; ``variables`` are the environment's, without the prefix."""

    python: Path
    work: Path
    variables: dict[str, str]
    other: dict[str, str] = field(default_factory=dict)

    def start(self) -> subprocess.Popen[str]:
        said = {f"MAPPER_TRAINING_{name}": value for name, value in self.variables.items()}
        command = [str(self.python), "-m", "mapper_training.job"]
        variables = environment(ROOT) | {"HF_HUB_OFFLINE": "1"} | self.other | said
        return subprocess.Popen(command, cwd=self.work, env=variables, stderr=subprocess.PIPE, encoding="utf-8")

    def run(self) -> tuple[int, str]:
        with self.start() as process:
            _, said = process.communicate()
            return process.returncode, said


@pytest.fixture(scope="session")
def python() -> Path:
    found = interpreter(ROOT)
    if found is None or not (TOKENIZER / "tokenizer.json").is_file():
        pytest.skip("torch and the base's tokenizer are not here: `make model` brings both")
    return found


@pytest.fixture(scope="session")
def base(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    tokens = json.loads((TOKENIZER / "config.json").read_text("utf-8"))["vocab_size"]
    command = [str(python), "-c", WRITE_BASE, str(folder), str(tokens), str(TOKENIZER)]
    variables = environment(ROOT)
    variables["PYTHONPATH"] += f":{ROOT}"
    subprocess.run(command, check=True, cwd=ROOT, env=variables, capture_output=True)
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A handful of vendors, and an experiment that was scored before."""
    folder = tmp_path / "data"
    (folder / "vocabularies").mkdir(parents=True)
    for name in FIVE:
        shutil.copy(ROOT / "inference-services" / "mapper" / "vocabularies" / f"{name}.yaml", folder / "vocabularies")
    home = tiny_llama.write_experiment(folder / "experiments" / "tiny", json.dumps(PLAN))
    systems = {"exact": system(), "model_and_ranker": system()}
    figures = {"folds": [0], "cases": 5, "systems": {"kind_unknown": systems, "kind_told": systems}}
    (home / "result.json").write_text(json.dumps(figures), "utf-8")
    fitted = {"stack": STACK.model_dump(mode="json"), "without_model": STACK.model_dump(mode="json")}
    (home / "calibration.json").write_text(json.dumps(fitted), "utf-8")
    return folder


@pytest.fixture
def job(python: Path, base: Path, data: Path, tmp_path: Path) -> Job:
    work = tmp_path / "work"
    kept = work / "checkout" / VECTORS
    kept.parent.mkdir(parents=True)
    if (ROOT / VECTORS).is_file():
        shutil.copy(ROOT / VECTORS, kept)
    SigningKey.generate().write(tmp_path / "signing.pem", tmp_path / "trusted")
    variables = {
        "EXPERIMENT": "tiny",
        "FOLDS": "all",
        "REGISTRY": str(tmp_path / "registry"),
        "SIGNING_KEY": str(tmp_path / "signing.pem"),
        "DATA": str(data),
        "BASE": str(base),
    }
    return Job(python, work, variables)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    pytest.importorskip("boto3", reason="the SDK for S3 is not installed")
    if not object_store.binary().is_file():
        pytest.skip("SeaweedFS is not installed")
    with object_store.running(tmp_path_factory.mktemp("seaweedfs")) as running:
        yield running
