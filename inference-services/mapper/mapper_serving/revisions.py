"""What each revision of the predictor did, as the transformer sees it: the figures that a canary is judged by.

A call is the revision's that put its name into the answer (``predictor_revision.py`` beside this package). A call
without an answer has nobody's name and counts as ``unknown``. Labels are revisions, outcomes and pillars: nothing of a
vendor, a tenant or a word.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, get_args

from prometheus_client import Counter, Histogram

from llama_mapper.chassis.metrics import REGISTRY

HEADER = "llama-mapper-revision"
UNKNOWN = "unknown"
MAX_REVISIONS = 8
"""A pod outlives many rollouts; of the oldest revisions nobody asks any more."""

Outcome = Literal["answered", "late", "invalid", "failed"]
"""An answer within the budget; one after it, when whoever asked had gone on without; one that is none of those allowed;
no answer, or an error."""

CALL_EDGES = (0.025, 0.05, 0.1, 0.25, 0.45, 0.75, 1.0, 2.5, 5.0, 15.0)
CONFIDENCE_EDGES = tuple(round(step / 20, 2) for step in range(1, 21))

_LABEL = "predictor_revision"
CALLS = Counter("llama_mapper_predictor_calls", "Calls of the model", [_LABEL, "outcome"], registry=REGISTRY)
SECONDS = Histogram("llama_mapper_predictor_seconds", "Time of a call", [_LABEL], buckets=CALL_EDGES, registry=REGISTRY)
CONFIDENCE = Histogram(
    "llama_mapper_predictor_confidence", "Of the answers", [_LABEL], buckets=CONFIDENCE_EDGES, registry=REGISTRY
)
UNSURE = Counter("llama_mapper_predictor_unsure", "Answers below the threshold", [_LABEL], registry=REGISTRY)
ANSWERS = Counter("llama_mapper_predictor_answers", "Answers by pillar", [_LABEL, "pillar"], registry=REGISTRY)

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class Call:
    """One call under way; without another word it failed, and nobody knows at whose hands."""

    def __init__(self) -> None:
        self.revision = UNKNOWN
        self.outcome: Outcome = "failed"

    def came_from(self, headers: Mapping[str, str]) -> None:
        named = headers.get(HEADER, "")
        self.revision = named if _NAME.fullmatch(named) else UNKNOWN


class Revisions:
    """Counts for one process; *pillars* are the taxonomy's, *threshold* is what makes an answer sure."""

    def __init__(self, pillars: Iterable[str], threshold: float) -> None:
        self._pillars = frozenset(pillars)
        self._threshold = threshold
        self._known: OrderedDict[str, None] = OrderedDict()
        self._meet(UNKNOWN)

    @contextmanager
    def call(self, budget_seconds: float) -> Iterator[Call]:
        """Measure what happens inside; an answer that takes longer than the budget is late."""
        call, began = Call(), time.perf_counter()
        try:
            yield call
        finally:
            seconds = time.perf_counter() - began
            late = call.outcome == "answered" and seconds > budget_seconds
            self._meet(call.revision)
            CALLS.labels(call.revision, "late" if late else call.outcome).inc()
            SECONDS.labels(call.revision).observe(seconds)

    def judged(self, revision: str, label: str, confidence: float) -> None:
        """Count what was made of an answer."""
        self._meet(revision)
        CONFIDENCE.labels(revision).observe(confidence)
        UNSURE.labels(revision).inc(confidence < self._threshold)
        pillar = label.partition(".")[0]
        if pillar in self._pillars:
            ANSWERS.labels(revision, pillar).inc()

    def _meet(self, revision: str) -> None:
        """Begin all series of a revision at 0: of one that begins at 1 Prometheus never sees the first increase."""
        if revision in self._known:
            self._known.move_to_end(revision)
            return
        self._known[revision] = None
        for outcome in get_args(Outcome):
            CALLS.labels(revision, outcome)
        for pillar in self._pillars:
            ANSWERS.labels(revision, pillar)
        for metric in (SECONDS, CONFIDENCE, UNSURE):
            metric.labels(revision)
        if len(self._known) > MAX_REVISIONS:
            self._forget(next(name for name in self._known if name != UNKNOWN))

    def _forget(self, revision: str) -> None:
        del self._known[revision]
        for metric in (CALLS, ANSWERS, SECONDS, CONFIDENCE, UNSURE):
            metric.remove_by_labels({_LABEL: revision})
