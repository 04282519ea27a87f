import io

import pytest

from mapper_training.progress import Ended, Event, Kept, Refused, Started, Stepped, Stopped, json_lines, parse, sentence

STARTED = Started(examples=80, tokens=900, trained_parameters=7, step=0, of_steps=10)
EVENTS: list[tuple[Event, str]] = [
    (STARTED, "80 examples, 900 tokens, 10 steps"),
    (STARTED.model_copy(update={"step": 3}), "goes on after step 3 of 10"),
    (
        Stepped(step=4, of_steps=10, share=0.4, loss=1.25, examples_per_second=2.5, seconds_left=95),
        "step 4 of 10, loss 1.250, 2.5 examples/s, 2 min left",
    ),
    (Kept(step=4), "kept a checkpoint at step 4"),
    (
        Ended(step=9, of_steps=10, seconds=89, peak_memory_bytes=2 * 10**9, adapter="a"),
        "9 of 10 steps in 89 s, peak memory 2.0 GB; wrote a",
    ),
    (Stopped(step=4, of_steps=10), "stopped at step 4 of 10"),
    (Refused(reason="there is no GPU"), "there is no GPU"),
]


@pytest.mark.parametrize(("event", "text"), EVENTS, ids=lambda value: getattr(value, "event", ""))
def test_an_event_is_read_as_it_was_said_and_has_a_sentence(event: Event, text: str) -> None:
    to = io.StringIO()
    json_lines(to)(event)
    assert parse(to.getvalue()) == event
    assert sentence(event) == text


@pytest.mark.parametrize("line", ["", "Loading weights: 100%", '{"event": "cheered"}', '{"event": "kept"}', "[1]", "1"])
def test_what_is_no_event_is_none(line: str) -> None:
    assert parse(line) is None
