"""The policies over HTTP: what is in force, and whether a bundle could be: /api/v1/policies."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, FastAPI

from llama_mapper.contracts.policies import (
    DryRun,
    PoliciesInForce,
    PolicyFault,
    PolicyValidation,
    ValidatePolicyRequest,
)
from llama_mapper.contracts.problems import PolicyNotFound, Unavailable

from ..entrance.gate import Admitted, Gate
from ..ports import Policies
from .bundle_archives import read
from .bundle_lint import faults
from .bundle_replay import Recorded, against_record, dry_run
from .bundle_watch import MAX_FAULTS, LivePolicy
from .bundles import BrokenBundle, Bundle, fault
from .rego import POLICIES, RegoPolicy

if TYPE_CHECKING:
    from .bundle_store import BundleStore

Stores = Callable[[], "BundleStore"]
"""Opens the bundle store; raises PolicyNotFound where none is configured."""

Trial = Callable[[Bundle], Policies]
"""Makes policies that are tried, and never in force."""


def add_policies(
    app: FastAPI, gate: Gate, live: LivePolicy, store: Stores, recorded: Recorded | None, trial: Trial = RegoPolicy
) -> None:
    """Add the resources; without *recorded* there is no dry run."""
    reads, writes = gate.needs("policies:read"), gate.needs("policies:write")

    @app.get("/api/v1/policies", tags=["policies"])
    async def policies_in_force(_: Annotated[Admitted, Depends(reads)]) -> PoliciesInForce:
        """The version that decides, where it came from, and the last attempt to change it."""
        return live.in_force()

    @app.post("/api/v1/policies/validate", tags=["policies"])
    async def validate_policy(
        asked: ValidatePolicyRequest, admitted: Annotated[Admitted, Depends(writes)]
    ) -> PolicyValidation:
        """Compile, lint and test a bundle of the store, and decide the tenant's last requests again by it.

        Nothing is put in force. 200 also where the bundle is faulty.
        """
        archive = await asyncio.to_thread(lambda: store().fetch(asked.bundle, asked.sha256))
        bundle, wrong = await asyncio.to_thread(_judge, archive)
        tried: DryRun | None = None
        if bundle is not None and not wrong and recorded is not None and asked.dry_run_requests:
            requests = await recorded.decisions(admitted.tenant_id, asked.dry_run_requests)
            try:
                policy = (await trial(bundle).pinned(admitted.tenant_id)).under(admitted.policy.layers)
                tried = dry_run(await against_record(policy, requests, admitted.tenant_id))
            except Unavailable:  # it compiles and passes its tests, and has no answer to a real question
                wrong = (fault("decision/decision.rego", "dry_run_undecided"),)
        return PolicyValidation(bundle=asked.bundle, sha256=asked.sha256, faults=wrong[:MAX_FAULTS], dry_run=tried)


def no_store() -> "BundleStore":
    raise PolicyNotFound("no bundle store is configured here")


def _judge(archive: bytes) -> tuple[Bundle | None, tuple[PolicyFault, ...]]:
    try:
        bundle = read(archive)
        return bundle, faults(bundle, POLICIES)
    except BrokenBundle as broken:
        return None, broken.faults
