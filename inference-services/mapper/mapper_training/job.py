"""Train, score and publish in one go: ``python -m mapper_training.job``, as ``training-job.yaml`` runs it.

All it needs comes from the environment (``job_settings``). Each fold is trained by a process of its own, whose
checkpoints go to a lasting place at once; a job that starts again goes on from there. Exit statuses: 0 published or
trained, 1 refused or failed, 3 asked to stop.
"""

import logging
import shutil
import subprocess
import sys
import time
from pathlib import Path

from pydantic import ValidationError

import llama_mapper
from llama_mapper.registry import (
    AlreadyPublished,
    Registry,
    RegistryError,
    SigningKey,
    Unreachable,
    open_registry,
    publish,
)

from . import checkpoint
from .child import environment, follow, last_line
from .job_settings import JobSettings
from .places import Place, fetch_all, open_place
from .plan import ALL, CannotTrain, changed, read_plan
from .progress import Event, Kept, Refused, Stepped, sentence
from .setting import ROOM

log = logging.getLogger("mapper_training.job")
FAILED, STOPPED = 1, 3
_SECONDS_BETWEEN_STEPS = 30.0
_ROOM = Path("inference-services", "mapper")
_DATA = {
    "vocabularies": _ROOM / "vocabularies",
    "experiments": _ROOM / "experiments",
    "taxonomy": Path("shared", "llama_mapper", "taxonomy"),
}


class JobFailed(RuntimeError):
    """The message says why in one line."""

    def __init__(self, reason: str, status: int = FAILED) -> None:
        super().__init__(reason)
        self.status = status


class Checkout:
    """A writable copy of code and data: an image's own files cannot be changed."""

    def __init__(self, root: Path, experiment: str) -> None:
        self.root = root
        self.experiment = experiment

    @property
    def home(self) -> Path:
        return self.root / _DATA["experiments"] / self.experiment

    def work(self, fold: str) -> Path:
        return self.root / ".cache" / "training" / self.experiment / f"fold{fold}"

    def make(self, data: Place | None) -> None:
        """Copy this program and its data, then put *data*'s folders in the place of the copied ones.

        Raises:
            JobFailed: *data* holds other files than these folders'.
            Unreachable: *data* cannot be read.
        """
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        package = Path(llama_mapper.__file__).parent
        for source, to in ((package, Path("shared", "llama_mapper")), (ROOM, _ROOM)):
            shutil.copytree(source, self.root / to, ignore=ignored, dirs_exist_ok=True)
        if data:
            self._replace(data)

    def change(self, changes: dict[str, object]) -> None:
        """Write *changes* into the experiment's plan, where every step reads it.

        Raises:
            CannotTrain: the plan does not allow them.
        """
        plan = changed(read_plan(self.home), changes)
        (self.home / "training.json").write_text(plan.model_dump_json(indent=2) + "\n", "utf-8")

    def _replace(self, data: Place) -> None:
        fetched = self.root / ".cache" / "data"
        fetch_all(data, fetched)
        found = sorted(path.name for path in fetched.iterdir()) if fetched.is_dir() else []
        if not found or not set(found) <= set(_DATA):
            raise JobFailed(f"the data are folders named {', '.join(_DATA)}, and nothing else")
        if "vocabularies" in found:  # a vendor that is not in the data must not train
            shutil.rmtree(self.root / _DATA["vocabularies"])
        for name in found:
            shutil.copytree(fetched / name, self.root / _DATA[name], dirs_exist_ok=True)


class Training:
    """Trains the folds of one checkout, keeping checkpoints in *lasting*."""

    def __init__(self, checkout: Checkout, lasting: Place) -> None:
        self._checkout, self._lasting = checkout, lasting
        self._said = 0.0
        self._refusal: str | None = None

    def train(self, fold: str) -> None:
        """Train *fold* to its end, from its last checkpoint where there is one.

        Raises:
            JobFailed: it was refused, was asked to stop, or broke off.
            Unreachable: nobody can say whether there is a checkpoint.
        """
        work, name = self._checkout.work(fold), f"fold{fold}/{checkpoint.FILE}"
        work.mkdir(parents=True, exist_ok=True)
        if name in self._lasting.names() and not (work / checkpoint.FILE).is_file():
            self._lasting.fetch(name, work / checkpoint.FILE)

        def watch(event: Event) -> None:
            self._log(fold, event)
            if isinstance(event, Kept):
                self._keep(work / checkpoint.FILE, name)

        options = ["--fold", fold, "--resume", "--json"]
        command = [sys.executable, "-m", "mapper_training.train", self._checkout.experiment, *options]
        talk = work / "train.log"
        status = follow(command, self._checkout.root, environment(self._checkout.root), talk, watch)
        if status == STOPPED:
            raise JobFailed(f"fold {fold} was asked to stop; the next start goes on", STOPPED)
        if status < 0:
            raise JobFailed(f"fold {fold} was killed (signal {-status}); the next start goes on")
        if status:
            raise JobFailed(f"fold {fold}: {self._refusal or last_line(talk)}")

    def _keep(self, path: Path, name: str) -> None:
        try:
            self._lasting.keep(path, name)
        except Unreachable as error:  # the training is worth more than this checkpoint; the next one tries again
            log.warning("a checkpoint was not kept: %s", error)

    def _log(self, fold: str, event: Event) -> None:
        if isinstance(event, Refused):
            self._refusal = event.reason
        now = time.monotonic()
        if not isinstance(event, Stepped) or now - self._said >= _SECONDS_BETWEEN_STEPS:
            self._said = now
            log.info("fold %s: %s", fold, sentence(event))


def module(checkout: Checkout, name: str, *options: str) -> None:
    """Run another module of this room on the checkout; what it says goes to the log.

    Raises:
        JobFailed: it ended with a fault.
    """
    command = [sys.executable, "-m", f"mapper_training.{name}", checkout.experiment, *options]
    variables = environment(checkout.root)
    if subprocess.run(command, cwd=checkout.root, env=variables, check=False).returncode:  # noqa: S603 - our own module
        raise JobFailed(f"mapper_training.{name} failed")


def release(checkout: Checkout, registry: Registry, key: SigningKey) -> str:
    """Write the adapter's card, publish both, and return the version.

    Raises:
        JobFailed: there is no calibration to write the card with.
        RegistryError: the registry refuses it.
    """
    if not (checkout.home / "calibration.json").is_file():
        raise JobFailed(f"{checkout.experiment} was not scored, so nothing is published: train its folds too")
    module(checkout, "card")
    try:
        return publish(registry, checkout.home, key, progress=_uploaded).version
    except AlreadyPublished as error:
        if not error.identical:
            raise
        return "what is published already"


def _uploaded(name: str) -> None:
    log.info("published %s", name)


def run(settings: JobSettings) -> None:
    # Before hours of training: a key that cannot be read would be found at their end.
    key, registry = SigningKey.read(settings.signing_key.get_secret_value()), open_registry(settings.registry)
    checkout = Checkout(settings.work.resolve() / "checkout", settings.experiment)
    checkout.make(open_place(settings.data) if settings.data else None)
    checkout.change(settings.plan_changes)
    training = Training(checkout, open_place(settings.checkpoint_place))
    for fold in settings.fold_names:
        training.train(fold)
    if settings.tested_folds:
        module(checkout, "score", "--folds", ",".join(settings.tested_folds))
    if ALL in settings.fold_names:
        log.info("this is %s", release(checkout, registry, key))


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        run(JobSettings())
    except ValidationError as error:
        named = sorted({f"MAPPER_TRAINING_{fault['loc'][0]}".upper() for fault in error.errors() if fault["loc"]})
        log.error("missing or wrong: %s", ", ".join(named))
        sys.exit(FAILED)
    except (JobFailed, CannotTrain, RegistryError) as error:
        log.error("%s", error)
        sys.exit(error.status if isinstance(error, JobFailed) else FAILED)


if __name__ == "__main__":
    main()
