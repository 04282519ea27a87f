"""Live figures of the two revisions, from Prometheus' HTTP API."""

from collections.abc import Mapping
from typing import Any

import httpx

from llama_mapper.contracts.canaries import Revisions
from llama_mapper.contracts.problems import Unavailable
from llama_mapper.contracts.wire import Wire

from .attribution import share_out
from .measures import CONFIDENCE_EDGES, Counts

CALLS = "llama_mapper_predictor_calls_total"
SECONDS_BUCKET, SECONDS_COUNT = "llama_mapper_predictor_seconds_bucket", "llama_mapper_predictor_seconds_count"
CONFIDENCE_BUCKET = "llama_mapper_predictor_confidence_bucket"
PILLARS, UNSURE = "llama_mapper_predictor_answers_total", "llama_mapper_predictor_unsure_total"
REVISION, UNKNOWN = "predictor_revision", "unknown"

Table = Mapping[tuple[str, ...], int]


class Sides(Wire):
    """The two revisions' figures over the same time."""

    stable: Counts
    candidate: Counts


class Prometheus:
    """Reads what the transformers count (``mapper_serving.revisions``).

    ``increase()`` sums over pods, through restarts and through pods that are gone; it extrapolates to the edges of the
    time asked for, so its values are no whole numbers and are rounded.
    """

    def __init__(self, url: str, client: httpx.AsyncClient, latency_seconds: float, timeout_seconds: float) -> None:
        self._url = f"{url.rstrip('/')}/api/v1/query"
        self._client = client
        self._bound = latency_seconds
        self._timeout = timeout_seconds

    async def sides(self, service: str, revisions: Revisions, percent: int, seconds: int) -> Sides:
        """The figures of both revisions of *service* in the last *seconds*.

        Raises:
            Unavailable: Prometheus does not answer.
        """
        read = _Reading(self, service, (revisions.stable, revisions.candidate), seconds, 0)
        await read.all()
        to_stable, to_candidate = share_out(
            read.lost(), read.answered(revisions.stable), read.answered(revisions.candidate), percent
        )
        return Sides(
            stable=read.counts(revisions.stable, to_stable), candidate=read.counts(revisions.candidate, to_candidate)
        )

    async def before(self, service: str, revision: str, seconds: int, ago: int) -> Counts | None:
        """The figures of one *revision* over *seconds*, up to *ago* seconds ago; None where it had no calls."""
        read = _Reading(self, service, (revision,), seconds, ago)
        await read.all()
        found = read.counts(revision, 0)
        return found if found.calls else None

    async def increases(self, query: str, labels: tuple[str, ...]) -> Table:
        """Run *query* and return its whole-numbered values by *labels*."""
        try:
            answer = await self._client.get(self._url, params={"query": query}, timeout=self._timeout)
            answer.raise_for_status()
            body: Any = answer.json()
            rows = body["data"]["result"]
            found = {tuple(row["metric"].get(label, "") for label in labels): row["value"][1] for row in rows}
            return {key: max(0, round(float(value))) for key, value in found.items() if value not in ("NaN", "+Inf")}
        except (httpx.HTTPError, ValueError, KeyError, TypeError, IndexError) as error:
            raise Unavailable("Prometheus does not answer", retry_after_seconds=30) from error

    @property
    def bound(self) -> float:
        return self._bound


class _Reading:
    """All figures of some revisions over one stretch of time."""

    def __init__(self, source: Prometheus, service: str, revisions: tuple[str, ...], seconds: int, ago: int) -> None:
        self._source = source
        # Revisions are DNS labels: nothing in them means more in a regular expression than it says, but for a dot.
        named = "|".join((*revisions, UNKNOWN)).replace(".", "[.]")
        self._among = f'knative_service="{service}-transformer",{REVISION}=~"{named}"'
        self._window = f"[{seconds}s]" + (f" offset {ago}s" if ago else "")
        self._tables: dict[str, Table] = {}

    async def all(self) -> None:
        await self._read(CALLS, "outcome")
        await self._read(SECONDS_COUNT)
        await self._read(SECONDS_BUCKET, "le")
        await self._read(CONFIDENCE_BUCKET, "le")
        await self._read(PILLARS, "pillar")
        await self._read(UNSURE)

    async def _read(self, metric: str, *labels: str) -> None:
        by = (REVISION, *labels)
        query = f"sum by ({', '.join(by)}) (increase({metric}{{{self._among}}}{self._window}))"
        self._tables[metric] = await self._source.increases(query, by)

    def lost(self) -> int:
        """Calls that got no answer that names a revision."""
        return sum(self._of(CALLS, UNKNOWN).values())

    def answered(self, revision: str) -> int:
        return sum(self._of(CALLS, revision).values())

    def counts(self, revision: str, lost: int) -> Counts:
        """The figures of *revision*, with its part of the *lost* calls.

        Each is cut to what it can be at most: rounding, and scrapes that fell between two counters, may put a part a
        call above the whole.
        """
        outcomes = {labels[0]: value for labels, value in self._of(CALLS, revision).items()}
        calls = sum(outcomes.values()) + lost
        timed = self._of(SECONDS_COUNT, revision).get((), 0)
        in_time = max(
            (v for (le,), v in self._of(SECONDS_BUCKET, revision).items() if _is(le, self._source.bound)), default=0
        )
        answers = outcomes.get("answered", 0) + outcomes.get("late", 0)
        judged = self._judged(revision)
        # Those who ask the same at once share one call and are judged each.
        scale = min(1.0, answers / judged) if judged else 1.0
        failed, invalid = outcomes.get("failed", 0) + lost, outcomes.get("invalid", 0)
        return Counts(
            calls=calls,
            errors=failed,
            slow=min(calls, max(0, timed - in_time)),
            invalid=invalid,
            fallbacks=min(calls, failed + invalid + outcomes.get("late", 0)),
            unsure=min(answers, round(scale * self._of(UNSURE, revision).get((), 0))),
            confidence=self._confidence(revision, answers, scale),
            pillars=_at_most(
                answers, {labels[0]: round(scale * value) for labels, value in self._of(PILLARS, revision).items()}
            ),
        )

    def _judged(self, revision: str) -> int:
        return max(self._of(CONFIDENCE_BUCKET, revision).values(), default=0)

    def _confidence(self, revision: str, answers: int, scale: float) -> tuple[int, ...]:
        rows = self._of(CONFIDENCE_BUCKET, revision).items()
        found = {float(le): round(scale * value) for (le,), value in rows if le != "+Inf"}
        if not found:
            return ()
        buckets: list[int] = []
        for edge in CONFIDENCE_EDGES:
            below = buckets[-1] if buckets else 0
            buckets.append(min(answers, max(below, found.get(edge, below))))
        return tuple(buckets)

    def _of(self, metric: str, revision: str) -> dict[tuple[str, ...], int]:
        return {key[1:]: value for key, value in self._tables[metric].items() if key[0] == revision}


def _is(le: str, bound: float) -> bool:
    return le != "+Inf" and abs(float(le) - bound) < 1e-9


def _at_most(whole: int, parts: Mapping[str, int]) -> dict[str, int]:
    """*parts* with a sum of at most *whole*: what is too much is taken from the largest."""
    cut = dict(parts)
    over = sum(cut.values()) - whole
    for name in sorted(cut, key=lambda name: -cut[name]):
        if over > 0:
            taken = min(over, cut[name])
            cut[name] -= taken
            over -= taken
    return cut
