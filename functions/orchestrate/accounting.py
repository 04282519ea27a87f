"""What the metrics learn from an answer: the decision, and each fallback that made it."""

from llama_mapper.chassis import metrics
from llama_mapper.contracts.orchestration import OrchestrateResponse

COUNTED_ELSEWHERE = frozenset({"event.deferred"})
"""By the outbox, which takes that fallback itself."""


def count(answer: OrchestrateResponse) -> None:
    """Count *answer* once; to be called for every one that is given, alone or in a batch."""
    metrics.DECISIONS.labels(answer.decision.action).inc()
    for name in answer.degraded:
        if name not in COUNTED_ELSEWHERE:
            metrics.FALLBACKS.labels(_ours(name)).inc()


def _ours(name: str) -> str:
    """*name* without what a tenant calls its own detector: whoever invents names must not make series."""
    if name.startswith("view."):
        return f"view.{name.split('.')[1]}.{name.rpartition('.')[2]}"
    return f"detector.own.{name.rpartition('.')[2]}" if name.startswith("detector.own.") else name
