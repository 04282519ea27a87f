"""The training job as a container runs it: interrupted, started again, published. A minute or two each."""

import json
import signal
import uuid
from pathlib import Path

import pytest

from llama_mapper.registry import Keyring, open_registry, verify, versions
from mapper_training.places import open_place
from tests.fakes.object_store import BUCKET, ObjectStore

from .conftest import Job

pytestmark = pytest.mark.slow
STOPPED = 3


def stop_after_a_checkpoint(job: Job) -> tuple[int, str]:
    """Send TERM, as a node that is drained does, once the first checkpoint is kept."""
    said: list[str] = []
    with job.start() as process:
        for line in process.stderr or ():
            said.append(line)
            if "kept a checkpoint" in line:
                process.send_signal(signal.SIGTERM)
                break
        said += process.stderr or ()
        return process.wait(), "".join(said)


def published(job: Job, trusted: Path) -> dict[str, object]:
    """The record of the one version that is there, every file of it verified."""
    registry = open_registry(job.variables["REGISTRY"])
    (one,) = versions(registry)
    found = verify(registry, one.version, Keyring.read(trusted))
    record: dict[str, object] = json.loads(found.files["training_record.json"])
    return record


def test_a_job_that_is_moved_to_another_node_goes_on_and_publishes_once(job: Job, tmp_path: Path) -> None:
    status, said = stop_after_a_checkpoint(job)
    assert status == STOPPED, said
    elsewhere = tmp_path / "another-node"
    job.work.rename(tmp_path / "lost")
    (elsewhere / "checkout" / ".cache" / "training").mkdir(parents=True)
    vectors = Path("checkout", ".cache", "training", "vectors.npz")
    (tmp_path / "lost" / vectors).rename(elsewhere / vectors)
    job.work = elsewhere
    status, said = job.run()
    assert status == 0, said
    assert "goes on after step" in said
    record = published(job, tmp_path / "trusted")
    assert record["fold"] == "all"
    assert record["steps"] == record["of_steps"]
    status, said = job.run()
    assert status == 0, said
    assert "what is published already" in said


def test_everything_can_lie_in_s3(
    job: Job, tmp_path: Path, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    prefix = f"s3://{BUCKET}/{uuid.uuid4().hex}"
    for name in ("DATA", "BASE"):
        place = open_place(f"{prefix}/{name.lower()}")
        for file in open_place(job.variables[name]).names():
            place.keep(Path(job.variables[name], file), file)
        job.variables[name] = f"{prefix}/{name.lower()}"
    job.variables["REGISTRY"] = prefix
    job.other |= store.environment
    status, said = job.run()
    assert status == 0, said
    assert published(job, tmp_path / "trusted")["base"] == f"{prefix}/base"
    assert open_place(f"{prefix}/training").names() == ["tiny/default/foldall/checkpoint.pt"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"EXPERIMENT": "none"}, "no experiment none"),
        ({"DEVICE": "cuda"}, "torch sees none"),
        ({"BASE": "/nowhere"}, "no base model"),
        ({"FOLDS": "9"}, "missing or wrong: MAPPER_TRAINING_FOLDS"),
        ({"SIGNING_KEY": "nowhere.pem"}, "signing key cannot be read"),
    ],
    ids=["experiment", "device", "base", "folds", "key"],
)
def test_a_job_that_cannot_work_says_why_and_trains_nothing(job: Job, changes: dict[str, str], says: str) -> None:
    job.variables |= changes
    status, said = job.run()
    assert status == 1
    assert says in said.splitlines()[-1]
    assert "kept a checkpoint" not in said
