"""How both clients wait for a job: often at first, then each two seconds."""

from collections.abc import Callable

from llama_mapper.contracts.jobs import Job

from .errors import NoAnswer
from .sending import Deadline

ENDED = frozenset({"succeeded", "failed", "cancelled"})
FIRST_SECONDS, LONGEST_SECONDS = 0.1, 2.0
Told = Callable[[Job], None]


def quietly(_: Job) -> None:
    """Tell nobody."""


class Waiting:
    """The pauses between two askings, for *seconds* in all."""

    def __init__(self, seconds: float, origin: str) -> None:
        self._deadline = Deadline(seconds)
        self._said = f"the job at {origin} has not ended within {seconds:g} s"
        self._next = FIRST_SECONDS

    def pause(self) -> float:
        """Seconds until it is to be asked again.

        Raises:
            NoAnswer: there is no time left.
        """
        left = self._deadline.left()
        if not left:
            raise NoAnswer(self._said, timed_out=True)
        pause, self._next = self._next, min(LONGEST_SECONDS, self._next * 1.5)
        return min(pause, left)
