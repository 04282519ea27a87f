import io
import json

import pytest
from rich.console import Console

from llama_mapper.cli import status_table
from llama_mapper.cli.screen import LiveScreen, PlainScreen, screen, starting_table, what_next
from llama_mapper.local.state import PartState, RunState

READY = PartState(name="orchestrate", port=18000, state="ready", pid=1, since=1000.0, ready_seconds=2.34)
STARTING = PartState(name="detect", port=18091, state="starting", pid=2, since=1000.0)
CONSOLE = PartState(name="console", port=18080, optional=True, state="absent", note="its main.py is not there")


def run_of(*parts: PartState) -> RunState:
    return RunState(pid=7, phase="up", started=999.0, parts=parts)


def printed(width: int = 100) -> tuple[io.StringIO, Console]:
    text = io.StringIO()
    return text, Console(file=text, width=width)


def test_a_pipe_gets_plain_lines_and_a_terminal_a_table() -> None:
    assert isinstance(screen(Console(file=io.StringIO())), PlainScreen)
    assert isinstance(screen(Console(file=io.StringIO(), force_terminal=True)), LiveScreen)


def test_a_plain_line_is_printed_once_for_each_change() -> None:
    text, console = printed()
    plain = PlainScreen(console)
    for part in (STARTING, STARTING, STARTING.model_copy(update={"state": "ready", "ready_seconds": 3.21})):
        plain.changed(part)
    assert text.getvalue().splitlines() == ["detect: starting", "detect: ready after 3.2 s"]


def test_a_line_is_not_read_as_markup() -> None:
    text, console = printed()
    PlainScreen(console).say("console [left] out: [/]")
    assert text.getvalue() == "console [left] out: [/]\n"


def test_the_live_table_follows_the_start_and_stays() -> None:
    text = io.StringIO()
    live = LiveScreen(Console(file=text, force_terminal=True, width=100))
    live.changed(STARTING)
    live.up(run_of(READY, STARTING.model_copy(update={"state": "ready", "ready_seconds": 3.21})))
    live.close()
    assert "ready after 3.2 s" in text.getvalue()
    assert "http://127.0.0.1:18000" in text.getvalue()


def test_the_table_says_what_each_part_does_and_how_long() -> None:
    text, console = printed()
    console.print(starting_table((READY, STARTING, CONSOLE), now=1001.5))
    shown = text.getvalue()
    for words in ("ready after 2.3 s", "starting, 1.5 s", "absent: its main.py is not there", ":18091"):
        assert words in shown


def test_what_to_try_next_names_the_real_port() -> None:
    lines = what_next(run_of(READY, CONSOLE))
    assert lines[0] == "Everything is up after 3.3 s."
    assert any("http://127.0.0.1:18000/api/v1/orchestrate" in line for line in lines)
    assert not any("web console" in line for line in lines)


def test_status_shows_state_port_and_uptime() -> None:
    text, console = printed()
    status_table.show(run_of(READY, CONSOLE), console, now=1065.0)
    rows = {line.split()[0]: line.split() for line in text.getvalue().splitlines() if line.split()}
    assert rows["orchestrate"][1:3] == ["ready", "18000"]
    assert "1 min 5 s" in text.getvalue()
    assert rows["console"][1] == "absent"


def test_status_for_programs_is_json() -> None:
    document = json.loads(status_table.as_json(run_of(READY, CONSOLE), now=1060.0))
    assert document["running"] is True
    assert document["parts"][0]["uptime_seconds"] == 60.0
    assert document["parts"][1]["memory_bytes"] is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "-"), (59.9, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (7260, "2 h 1 min")]
)
def test_durations_have_two_units(seconds: float | None, words: str) -> None:
    assert status_table.duration(seconds) == words
