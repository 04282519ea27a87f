"""What a training run says while it goes on: one JSON object a line, so that a command or a job can follow it."""

from collections.abc import Callable
from typing import Annotated, Literal, TextIO

from pydantic import Field, NonNegativeFloat, NonNegativeInt, StringConstraints, TypeAdapter, ValidationError

from llama_mapper.contracts.wire import Wire

Line = Annotated[str, StringConstraints(min_length=1, max_length=600, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Started(Wire):
    """The data are made and the model is loaded; ``step`` is above 0 where a checkpoint was there."""

    event: Literal["started"] = "started"
    examples: NonNegativeInt
    tokens: NonNegativeInt
    trained_parameters: NonNegativeInt
    step: NonNegativeInt
    of_steps: NonNegativeInt


class Stepped(Wire):
    """``share`` (0..1) is that of the steps or of the minutes, whichever is further; ``loss`` is of the letters."""

    event: Literal["step"] = "step"
    step: NonNegativeInt
    of_steps: NonNegativeInt
    share: NonNegativeFloat
    loss: NonNegativeFloat
    examples_per_second: NonNegativeFloat
    seconds_left: NonNegativeFloat


class Kept(Wire):
    """A checkpoint of this step lies there, whole."""

    event: Literal["kept"] = "kept"
    step: NonNegativeInt


class Ended(Wire):
    """The adapter is written."""

    event: Literal["ended"] = "ended"
    step: NonNegativeInt
    of_steps: NonNegativeInt
    seconds: NonNegativeFloat
    peak_memory_bytes: NonNegativeInt
    adapter: Line


class Stopped(Wire):
    """It was asked to stop, and did so after a checkpoint; no adapter is written."""

    event: Literal["stopped"] = "stopped"
    step: NonNegativeInt
    of_steps: NonNegativeInt


class Refused(Wire):
    """Nothing was trained."""

    event: Literal["refused"] = "refused"
    reason: Line


Event = Started | Stepped | Kept | Ended | Stopped | Refused
Watch = Callable[[Event], None]
_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


def silent(_: Event) -> None:
    """Watch nothing."""


def json_lines(to: TextIO) -> Watch:
    def watch(event: Event) -> None:
        to.write(event.model_dump_json() + "\n")
        to.flush()

    return watch


def parse(line: str) -> Event | None:
    """Return the event that *line* holds; None where it is another library's talk."""
    try:
        return _EVENT.validate_json(line)
    except ValidationError:
        return None


def sentence(event: Event) -> str:
    match event:
        case Started(step=0):
            return f"{event.examples} examples, {event.tokens} tokens, {event.of_steps} steps"
        case Started():
            return f"goes on after step {event.step} of {event.of_steps}"
        case Stepped():
            left = duration(event.seconds_left)
            speed = f"{event.examples_per_second:.1f} examples/s"
            return f"step {event.step} of {event.of_steps}, loss {event.loss:.3f}, {speed}, {left} left"
        case Kept():
            return f"kept a checkpoint at step {event.step}"
        case Ended():
            memory = f"{event.peak_memory_bytes / 1e9:.1f} GB"
            took = duration(event.seconds)
            return f"{event.step} of {event.of_steps} steps in {took}, peak memory {memory}; wrote {event.adapter}"
        case Stopped():
            return f"stopped at step {event.step} of {event.of_steps}"
        case Refused():
            return event.reason


def duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
