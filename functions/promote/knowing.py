"""Write down what is known of a canary, and nothing where nothing is new."""

from datetime import datetime

from llama_mapper.contracts.canaries import Canary, CanaryStatus, CanaryVerdict

from .conditions import conditions
from .ports import Cluster


async def hold(
    cluster: Cluster,
    canary: Canary,
    now: datetime,
    reason: str,
    message: str,
    *,
    status: CanaryStatus | None = None,
    verdict: CanaryVerdict | None = None,
) -> str:
    """Change nothing but the status; return *reason*.

    Raises:
        Stale: the canary has changed since it was read.
    """
    status = status or canary.status
    before = status.last_verdict
    if verdict is None and (before is None or before.reason != reason):
        reasons = (message,) if message else ()
        verdict = CanaryVerdict(
            decision="hold", reason=reason, reasons=reasons, calls=before.calls if before else None, at=now
        )
    if verdict:
        status = status.model_copy(update={"last_verdict": verdict})
    await keep(cluster, canary, status, now, reason, message)
    return reason


async def keep(
    cluster: Cluster, canary: Canary, status: CanaryStatus, now: datetime, reason: str, message: str
) -> Canary:
    """Write *status* with its conditions, if it says anything new."""
    told = conditions(canary, status, reason, message, now)
    status = status.model_copy(update={"observed_generation": canary.generation, "conditions": told})
    return canary if status == canary.status else await cluster.remember(canary, status)
