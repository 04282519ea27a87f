"""Run a training process and draw how far it is."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .refusing import refuse

if TYPE_CHECKING:
    from mapper_training.progress import Event

STOPPED_BY_A_SIGNAL = 130


class Screen:
    """A bar on stderr where that is a terminal, else a line now and then; keeps what was said last."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        self.last: Event | None = None
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), console=self._console, transient=True
        )
        self._task = self._bar.add_task("making the data and loading the model", total=None)
        self._printed = 0.0

    def __enter__(self) -> "Screen":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, event: "Event") -> None:
        from mapper_training.progress import Kept, Refused, Started, Stepped, sentence

        if not isinstance(event, Kept):
            self.last = event
        if isinstance(event, Started):
            self._console.print(sentence(event), highlight=False)
        if isinstance(event, Stepped):
            self._bar.update(self._task, total=1.0, completed=event.share, description=sentence(event))
            if not self._console.is_terminal and event.share >= self._printed:
                self._console.print(sentence(event), highlight=False)
                self._printed = event.share + 0.05
        elif not isinstance(event, Started | Refused | Kept):
            self._bar.update(self._task, completed=1.0, total=1.0)


def train(root: Path, experiment: str, fold: str, options: list[str]) -> None:
    """Train, and end the command with what came of it."""
    from mapper_training.child import environment, follow, last_line
    from mapper_training.progress import Ended, Refused, Stopped, sentence

    python = _interpreter(root)
    talk = root / ".cache" / "training" / experiment / f"fold{fold}" / "train.log"
    command: list[str | Path] = [python, "-m", "mapper_training.train", experiment, "--json", *options]
    with Screen() as screen:
        status = follow(command, root, environment(root), talk, screen.show)
    match screen.last:
        case Ended() as ended if status == 0:
            typer.echo(sentence(ended))
        case Stopped() as stopped:
            typer.echo(f"{sentence(stopped)}; go on with: {_again(experiment, options)}", err=True)
            raise typer.Exit(STOPPED_BY_A_SIGNAL)
        case Refused() as refused:
            refuse(refused.reason)
        case None if status < 0:
            refuse(f"the training ended before its first step (signal {-status})", STOPPED_BY_A_SIGNAL)
        case _ if status < 0:
            again = _again(experiment, options)
            refuse(f"the training was killed (signal {-status}); from its last checkpoint: {again}")
        case _:
            refuse(f"the training failed: {last_line(talk)} (all of it: {talk})")


def merge(root: Path, experiment: str) -> None:
    """Write base and merged weights; what is said goes to the terminal as it is."""
    from mapper_training.child import environment

    command = [str(_interpreter(root)), "-m", "mapper_training.merge", experiment]
    status = subprocess.run(command, cwd=root, env=environment(root), check=False).returncode  # noqa: S603 - our own
    if status:
        raise typer.Exit(status)


def _interpreter(root: Path) -> Path:
    from mapper_training.child import interpreter

    python = interpreter(root)
    if python is None:
        refuse("training needs torch and peft, which are not installed here: `make model` makes their environment")
    return python


def _again(experiment: str, options: list[str]) -> str:
    kept = [option for option in options if option not in ("--resume", "--fresh")]
    return " ".join([Path(sys.argv[0]).name, "train", "mapper", experiment, *kept, "--resume"])
