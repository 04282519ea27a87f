"""Fit a LoRA adapter: ``python -m mapper_training.train EXPERIMENT --fold 0`` (or ``--fold all`` for the served one).

The experiment's folder holds ``adapter_config.json`` (peft's own format) and ``training.json`` (``Plan``). Data and
their order come from the seed alone. ``llama-mapper train mapper`` runs this and shows how far it is.
"""

import argparse
import hashlib
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from . import adapter, checkpoint
from .base_model import CACHE, BaseModelError, digest, is_on_hub, locate
from .data import Posed
from .loop import Row, Trainer, count_steps
from .plan import ALL, FOLD_NAMES, FREE, CannotTrain, Plan, changed, read_plan
from .progress import Ended, Event, Refused, Started, Stopped, Watch, json_lines, sentence, silent
from .prompting import answer_tokens, prompt_ids
from .setting import EXPERIMENTS, Setting, open_setting
from .stopping import Stop

__all__ = ["Folders", "Plan", "fit", "folders", "load", "read_plan", "rows"]

log = logging.getLogger("mapper_training.train")
REFUSED, STOPPED = 1, 3
"""Exit statuses: nothing was trained; a checkpoint is kept to go on from."""
CHANGEABLE = ("threads", "minutes", "device", "base", "revision")


class Folders(NamedTuple):
    """home: the experiment's. work: its checkpoints. target: where the adapter is written."""

    home: Path
    work: Path
    target: Path


def folders(experiment: str, fold: str) -> Folders:
    home = EXPERIMENTS / experiment
    work = CACHE.parent / "training" / experiment / f"fold{fold}"
    return Folders(home, work, (home if fold == ALL else work) / "adapter")


def rows(tokenizer: Any, posed: Sequence[Posed], candidates: int) -> list[Row]:
    """Return the examples as the loop sees them.

    Raises:
        CannotTrain: the base's tokenizer cuts an answer into other than two tokens.
    """
    try:
        tokens = answer_tokens(tokenizer, candidates)
    except ValueError as error:
        raise CannotTrain(f"this base needs other letters or marks: {error}") from error
    return [
        Row(ids=tuple(ids), letter=tokens.letters[p.answer[1]], mark=tokens.marks[p.answer[2]])
        for p, ids in zip(posed, prompt_ids(tokenizer, posed), strict=True)
    ]


def load(base: Path, home: Path, plan: Plan) -> Any:
    """Return the base in bf16 with the experiment's adapter, untrained, in training mode."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(plan.seed)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16, device_map=plan.device)
    # Without autocast the adapter multiplies in bf16: on a CPU 1.4 times the speed; the loop keeps float32 copies.
    model = get_peft_model(model, LoraConfig.from_pretrained(home), autocast_adapter_dtype=False)
    if plan.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        # The library asks for a gradient of the embeddings, which only reentrant checkpoints need. Without it the
        # backward pass ends at the lowest layer that has an adapter.
        model.base_model.model.disable_input_require_grads()
    return model.train()  # in evaluation mode neither checkpoints nor dropout do anything


def fingerprint(plan: Plan, home: Path, base_sha256: str, data: Sequence[Row]) -> str:
    """Return a digest of all that decides the weights: plan, LoRA configuration, base and data."""
    lora = json.loads((home / "adapter_config.json").read_text("utf-8"))
    decided = [plan.model_dump(mode="json", exclude=set(FREE)), lora, base_sha256]
    found = hashlib.sha256(json.dumps(decided, sort_keys=True).encode())
    for row in data:
        found.update(row.model_dump_json().encode())
    return found.hexdigest()


def fit(
    setting: Setting,
    plan: Plan,
    where: Folders,
    fold: str,
    *,
    resume: bool | None = None,
    watch: Watch = silent,
) -> bool:
    """Train on *fold*'s training families, write the adapter and return True.

    Ctrl-C or TERM end the loop after its step: then a checkpoint is kept, no adapter written, and False returned.

    Args:
        resume: see ``checkpoint.choose``. A run that had come to its end writes its adapter again.

    Raises:
        CannotTrain, BaseModelError
    """
    import torch
    from transformers import AutoTokenizer

    if plan.device == "cuda" and not torch.cuda.is_available():
        raise CannotTrain("the plan wants a GPU (device cuda) and torch sees none")
    torch.set_num_threads(plan.threads)
    base = locate(plan.base, plan.revision)
    posed = setting.training(fold, plan.recipe, plan.kind_told)
    setting.vectors_done()
    data = rows(AutoTokenizer.from_pretrained(base), posed, setting.framing.candidates)
    origin = digest(base)
    where.work.mkdir(parents=True, exist_ok=True)
    made_of = fingerprint(plan, where.home, origin, data)
    state = checkpoint.choose(where.work, made_of, resume)
    model = load(base, where.home, plan)
    trainer = Trainer(plan, model, where.work, count_steps(len(data), plan), made_of, watch)
    if state:
        trainer.resume(state)
    watch(_started(trainer, data))
    with Stop() as stop:
        ended = trainer.run(data, stop)
    if not ended:
        watch(Stopped(step=trainer.step, of_steps=trainer.of_steps))
        return False
    record = adapter.record_of(
        plan, trainer, fold, base_sha256=origin, taxonomy=setting.taxonomy.version, examples=len(data)
    )
    adapter.write(model, where.target, record)
    watch(_ended(trainer, where.target))
    return True


def _started(trainer: Trainer, data: Sequence[Row]) -> Started:
    return Started(
        examples=len(data),
        tokens=sum(len(row.ids) for row in data),
        trained_parameters=trainer.trained_parameters,
        step=trainer.step,
        of_steps=trainer.of_steps,
    )


def _ended(trainer: Trainer, target: Path) -> Ended:
    return Ended(
        step=trainer.step,
        of_steps=trainer.of_steps,
        seconds=trainer.used_seconds,
        peak_memory_bytes=trainer.peak_memory_bytes,
        adapter=str(target),
    )


def log_lines(event: Event) -> None:
    log.info("%s", sentence(event))


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="python -m mapper_training.train", description=__doc__)
    found.add_argument("experiment")
    found.add_argument("--fold", default="0", choices=FOLD_NAMES)
    found.add_argument("--resume", action="store_true", default=None, help="go on where the checkpoint is")
    found.add_argument("--fresh", action="store_false", dest="resume", help="begin again")
    found.add_argument("--json", action="store_true", help="say how far it is as JSON lines on stdout")
    found.add_argument("--threads", type=int)
    found.add_argument("--minutes", type=float)
    found.add_argument("--device", choices=("cpu", "cuda"))
    found.add_argument("--base")
    found.add_argument("--revision")
    return found


def main() -> None:
    given = parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    watch = json_lines(sys.stdout) if given.json else log_lines
    try:
        said = {name: value for name in CHANGEABLE if (value := getattr(given, name)) is not None}
        plan = changed(read_plan(EXPERIMENTS / given.experiment), said)
        if not is_on_hub(plan.base):
            os.environ.setdefault("HF_HUB_OFFLINE", "1")
        where = folders(given.experiment, given.fold)
        ended = fit(open_setting(), plan, where, given.fold, resume=given.resume, watch=watch)
    except (CannotTrain, BaseModelError) as error:
        watch(Refused(reason=" ".join(str(error).split())[:600]))
        sys.exit(REFUSED)
    sys.exit(0 if ended else STOPPED)


if __name__ == "__main__":
    main()
