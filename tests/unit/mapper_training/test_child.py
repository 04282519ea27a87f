import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mapper_training.child import environment, follow, interpreter, last_line
from mapper_training.progress import Ended, Event, Kept, Started, Stepped, Stopped
from tests.fakes import trainer

ROOT = Path(__file__).parents[3]


def followed(does: str, talk: Path, then: Callable[[Event], None] = lambda event: None) -> tuple[int, list[Event]]:
    events: list[Event] = []

    def watch(event: Event) -> None:
        events.append(event)
        then(event)

    variables = environment(ROOT)
    status = follow([sys.executable, trainer.__file__, does], ROOT, variables, talk, watch)
    return status, events


def signalled(number: int, times: int = 1) -> Callable[[Event], None]:
    """Send ourselves the signal once the training is under way."""

    def then(event: Event) -> None:
        if isinstance(event, Stepped):
            for _ in range(times):
                os.kill(os.getpid(), number)

    return then


def test_every_event_is_told_and_other_talk_is_not(tmp_path: Path) -> None:
    status, events = followed("ends", tmp_path / "talk")
    assert (status, events) == (0, [trainer.STARTED, trainer.STEPPED, trainer.ENDED])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_wish_to_stop_is_passed_on_and_the_checkpoint_awaited(tmp_path: Path, number: int) -> None:
    status, events = followed("waits", tmp_path / "talk", signalled(number))
    assert status == 3
    assert [type(event) for event in events] == [Started, Stepped, Kept, Stopped]


def test_a_second_wish_kills(tmp_path: Path) -> None:
    status, events = followed("deaf", tmp_path / "talk", signalled(signal.SIGINT, times=2))
    assert status == -signal.SIGKILL
    assert not any(isinstance(event, Ended | Stopped) for event in events)


def test_signals_do_afterwards_what_they_did_before(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    followed("ends", tmp_path / "talk")
    assert signal.getsignal(signal.SIGINT) is before


def test_what_broke_it_is_the_last_line_of_its_talk(tmp_path: Path) -> None:
    status, _ = followed("breaks", tmp_path / "deep" / "talk")
    assert status == 1
    assert last_line(tmp_path / "deep" / "talk") == "RuntimeError: out of memory"


@pytest.mark.parametrize("text", [None, "", "\n \n"])
def test_silence_is_named(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "talk").write_text(text, "utf-8")
    assert last_line(tmp_path / "talk") == "it said nothing"


def test_the_models_environment_is_found_in_the_checkout(tmp_path: Path) -> None:
    own = tmp_path / ".venv-model" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.touch()
    assert interpreter(tmp_path) in (own, Path(sys.executable))
