"""How a detector is: in rotation until so many probes fail in a row, back after as many good ones."""

from dataclasses import dataclass

from pydantic import AwareDatetime, NonNegativeInt

from llama_mapper.contracts.detection import HealthStatus
from llama_mapper.contracts.problems import ErrorCode
from llama_mapper.contracts.wire import Wire

DETECT = "@detect"
"""The service behind the embedded detectors; no detector can have this name."""


@dataclass(frozen=True, slots=True)
class Pace:
    """When a detector goes out and comes back, and how often it is probed meanwhile."""

    every_seconds: float = 30.0
    failures: int = 3
    good: int = 3
    returning_seconds: float = 5.0
    """Between the probes of one that has begun to answer again."""


class Condition(Wire):
    """After the probes seen so far."""

    out: bool = False
    failures: NonNegativeInt = 0
    """In a row."""
    good: NonNegativeInt = 0
    """In a row, since it went out."""
    since: AwareDatetime | None = None
    last_error: ErrorCode | None = None

    @property
    def status(self) -> HealthStatus:
        if self.out:
            return "unhealthy"
        return "degraded" if self.failures else "healthy"

    def after(self, error: ErrorCode | None, pace: Pace, now: AwareDatetime) -> "Condition":
        """The condition after one more probe, which failed with *error* or was good."""
        if error:
            failures = self.failures + 1
            out = self.out or failures >= pace.failures
            seen = Condition(out=out, failures=failures, good=0, since=self.since, last_error=error)
        else:
            good = self.good + 1 if self.out else 0
            out = self.out and good < pace.good
            seen = Condition(out=out, failures=0, good=good if out else 0, since=self.since, last_error=self.last_error)
        changed = self.since is None or seen.status != self.status
        return seen.model_copy(update={"since": now}) if changed else seen

    def wait_seconds(self, pace: Pace) -> float:
        """Until the next probe: one that is out rests, one that returns is asked more often."""
        return min(pace.every_seconds, pace.returning_seconds) if self.out and self.good else pace.every_seconds
