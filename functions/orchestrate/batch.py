"""Many contents in one request: each keeps its place, its status and its own problem."""

import asyncio

from llama_mapper.chassis import correlation
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.mapping import Refused
from llama_mapper.contracts.orchestration import BatchItem, BatchRequest, BatchResponse, OrchestrateRequest
from llama_mapper.contracts.problems import Problem

from .accounting import count
from .service import COVERAGE_FLOOR, Orchestrator


async def judge_batch(
    orchestrator: Orchestrator,
    request: BatchRequest,
    tenant_id: TenantId,
    slots: asyncio.Semaphore,
    authenticated: bool = False,
) -> BatchResponse:
    """Judge every item, as many at once as *slots* allows.

    Raises:
        Unauthorized: the tenant may not; no item is judged.
    """
    policy = await orchestrator.policy.pinned(tenant_id)
    orchestrator = orchestrator.under(policy)
    await policy.admit(tenant_id, 0, authenticated)

    async def judge(index: int, item: OrchestrateRequest | Refused) -> BatchItem:
        if isinstance(item, Refused):
            return BatchItem(index=index, status=400, problem=item.problem().document(correlation.current()))
        async with slots:
            try:
                answer = await orchestrator.judge(item, tenant_id, correlation.current(), authenticated)
            except Problem as problem:
                document = problem.document(correlation.current())
                return BatchItem(index=index, status=problem.status, problem=document)
        count(answer)
        status = 200 if answer.coverage.score >= COVERAGE_FLOOR else 206
        return BatchItem(index=index, status=status, response=answer)

    return BatchResponse(results=tuple(await asyncio.gather(*(judge(i, item) for i, item in enumerate(request.items)))))
