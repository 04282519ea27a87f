"""Which detectors a request runs: what the caller names, as far as the policy lets it, and what the policy adds."""

from collections.abc import Mapping
from dataclasses import replace

from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.orchestration import OrchestrateRequest
from llama_mapper.contracts.problems import AllDetectorsUnavailable, FieldError, InvalidRequest

from .ports import Circumstances, Policy, Selection
from .routing import Directory, Route


async def choose(
    request: OrchestrateRequest, policy: Policy, tenant_id: TenantId, directory: Directory, weights: Mapping[str, float]
) -> tuple[tuple[Route, ...], Selection]:
    """Return what to run, and what the policy or the caller wants to have run; the policy has the last word.

    *weights* count in WEIGHTED coverage where the policy gives none.

    Raises:
        InvalidRequest: a detector nobody knows, or none is left to run.
        AllDetectorsUnavailable: what the policy wants is not there.
    """
    excluded = {r.detector for r in directory.routes(request.excluded_detectors, "excluded_detectors")}
    named = directory.routes(request.detector_types or (), "detector_types")
    must = directory.routes(request.required_detectors, "required_detectors")
    resolved = {
        "detector_types": tuple(r.detector for r in named) or None,
        "required_detectors": tuple(r.detector for r in must),
        "excluded_detectors": tuple(sorted(excluded)),
    }
    wanted = await policy.select(request.model_copy(update=resolved), directory.available, tenant_id)
    chosen = directory.routes([d for d in wanted.detectors if d in directory.available], "policy")
    called = {r.detector: r for r in (*named, *must) if r.detector not in excluded}  # as the caller called them
    routes = {r.detector: r.without(excluded) for r in ({r.detector: r for r in chosen} | called).values()}
    if not routes and excluded:
        raise refused("excluded_detectors", "no detector is left to run")
    if not routes:
        raise AllDetectorsUnavailable("none of the detectors that the policy wants is there", retry_after_seconds=5)
    required = dict.fromkeys([*wanted.required, *(r.detector for r in must if r.detector not in excluded)])
    return tuple(routes.values()), replace(
        wanted,
        required=tuple(required),
        weights={**weights, **wanted.weights},
        circumstances=Circumstances.of(request),
    )


def refused(name: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"check: {name}", errors=(FieldError(field=name, message=message),))
