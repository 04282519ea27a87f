"""Decide recorded requests again: what a changed policy would have done to the requests there were."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import httpx

from llama_mapper.chassis import correlation
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.orchestration import Action, Decision
from llama_mapper.contracts.policies import DecisionChange, DryRun
from llama_mapper.contracts.problems import Unavailable
from llama_mapper.contracts.records import RecordedDecision, RecordedDecisions

from ..ports import Circumstances, Policy

RECORD_SECONDS = 10.0
AT_ONCE = 20
"""Decisions between two breaths: in process nothing is awaited, and other requests wait meanwhile."""


@dataclass(frozen=True, slots=True)
class Again:
    """One recorded request, as it was decided and as it would be; ``reasons`` before and after."""

    request: RecordedDecision
    before: Action
    after: Action
    reasons: tuple[tuple[str, ...], tuple[str, ...]]

    @property
    def changed(self) -> bool:
        return self.before != self.after


async def decide_again(policy: Policy, requests: Sequence[RecordedDecision], tenant_id: TenantId) -> list[Decision]:
    """Return *policy*'s decision on each of *requests*.

    Raises:
        Unavailable: it has no answer to one.
    """
    decisions: list[Decision] = []
    for request in requests:
        if len(decisions) % AT_ONCE == 0:
            await asyncio.sleep(0)
        said = Circumstances(content_type=request.content_type)  # route and data class are not kept
        decisions.append(await policy.decide(request.findings, request.coverage, tenant_id, said))
    return decisions


async def against_record(policy: Policy, requests: Sequence[RecordedDecision], tenant_id: TenantId) -> list[Again]:
    """Compare *policy* with what was decided at the time."""
    decisions = await decide_again(policy, requests, tenant_id)
    return [
        Again(request, request.decision.action, new.action, (request.decision.reasons, new.reasons))
        for request, new in zip(requests, decisions, strict=True)
    ]


async def against_other(
    old: Policy, new: Policy, requests: Sequence[RecordedDecision], tenant_id: TenantId
) -> list[Again]:
    """Compare two policies on the same requests."""
    before, after = await decide_again(old, requests, tenant_id), await decide_again(new, requests, tenant_id)
    return [
        Again(request, one.action, other.action, (one.reasons, other.reasons))
        for request, one, other in zip(requests, before, after, strict=True)
    ]


def dry_run(again: Iterable[Again]) -> DryRun:
    """Count the changes, the most frequent first."""
    every = list(again)
    counts = Counter((one.before, one.after) for one in every if one.changed)
    return DryRun(
        requests=len(every),
        changed=sum(counts.values()),
        changes=tuple(DecisionChange(before=b, after=a, requests=n) for (b, a), n in counts.most_common()),
    )


class Recorded:
    """record's HTTP API at *url*."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self._url = url.rstrip("/") + "/api/v1/decisions"
        self._client = client

    async def decisions(self, tenant_id: TenantId, limit: int) -> tuple[RecordedDecision, ...]:
        """The tenant's last *limit* requests that were decided, newest first.

        Raises:
            Unavailable: record does not answer.
        """
        headers = {"X-Tenant-ID": tenant_id, correlation.HEADER: correlation.current()}
        try:
            answer = await self._client.get(self._url, params={"limit": limit}, headers=headers, timeout=RECORD_SECONDS)
            answer.raise_for_status()
            return RecordedDecisions.model_validate_json(answer.content).decisions
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable("record does not answer", retry_after_seconds=5) from error
