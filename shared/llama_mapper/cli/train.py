"""`llama-mapper train`: make the mapper's model from a base, an experiment and the vocabularies."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from .refusing import MISUSED, refuse
from .rooms import open_rooms

app = typer.Typer(help="Make the mapper's model: train an adapter, join base and adapter.", no_args_is_help=True)

Experiment = Annotated[str, typer.Argument(help="A folder of inference-services/mapper/experiments.")]


@app.command()
def mapper(
    experiment: Experiment,
    fold: Annotated[str, typer.Option(help="Which fifth of the vendors to keep for the test (0 to 4), or all.")] = "0",
    minutes: Annotated[float | None, typer.Option(min=0.01, help="Budget; the plan's own unless given.")] = None,
    resume: Annotated[
        bool | None, typer.Option("--resume/--fresh", help="Go on where the last run stopped, or begin again.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; the plan's own unless given.")] = None,
    device: Annotated[Literal["cpu", "cuda"] | None, typer.Option(help="The plan's own unless given.")] = None,
    base: Annotated[
        str | None, typer.Option(help="Folder, s3://bucket/prefix or ORGANISATION/NAME of another base model.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Commit of a base on the Hugging Face hub.")] = None,
) -> None:
    """Train a LoRA adapter in the model's environment (`make model`) and show how far it is.

    With `--fold all` every vendor trains, and the adapter goes into the experiment's folder, from where it is served.
    Ctrl-C stops after the step under way and a checkpoint; `--resume` goes on from there.

    Example: llama-mapper train mapper smollm2-hard --fold 0 --minutes 20
    """
    root = open_rooms()
    from mapper_training.base_model import absolute
    from mapper_training.plan import FOLD_NAMES

    from . import train_run

    if fold not in FOLD_NAMES:
        refuse(f"no fold {fold}; there are {', '.join(FOLD_NAMES)}", MISUSED)
    _known(root, experiment)
    given = {
        "fold": fold,
        "minutes": minutes,
        "threads": threads,
        "device": device,
        "base": absolute(base) if base else None,
        "revision": revision,
    }
    options = [part for name, value in given.items() if value is not None for part in (f"--{name}", str(value))]
    if resume is not None:
        options.append("--resume" if resume else "--fresh")
    train_run.train(root, experiment, fold, options)


@app.command()
def prepare(experiment: Annotated[str | None, typer.Argument(help="The served one unless given.")] = None) -> None:
    """Get the base's weights and join the experiment's adapter to them, as `make model` does.

    Nothing is done twice: digests say whether what lies there is from the same two.

    Example: llama-mapper train prepare smollm2-hard
    """
    root = open_rooms()
    from llama_mapper.local.layout import EXPERIMENT

    from . import train_run

    chosen = experiment or EXPERIMENT
    _known(root, chosen)
    train_run.merge(root, chosen)


def _known(root: Path, experiment: str) -> None:
    folder = root / "inference-services" / "mapper" / "experiments"
    names = sorted(path.parent.name for path in folder.glob("*/training.json"))
    if experiment not in names:
        refuse(f"no experiment {experiment}; there are {', '.join(names)}", MISUSED)
