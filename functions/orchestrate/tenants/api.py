"""A tenant's configuration over HTTP: /api/v1/tenants/{tenant_id}/configuration."""

from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, FastAPI, Header, Path, Response

from llama_mapper.chassis.app import PROBLEM
from llama_mapper.contracts.problems import PreconditionRequired
from llama_mapper.contracts.tenants import (
    ConfigureTenantRequest,
    RollbackTenantRequest,
    TenantState,
    TenantVersion,
    TenantVersions,
)

from ..entrance.gate import Admitted
from .configurations import Tenants

if TYPE_CHECKING:
    from ..entrance.entrance import Entrance

AT = "/api/v1/tenants/{tenant_id}/configuration"
TAGS: list[str | Enum] = ["tenants"]
IfMatch = Annotated[str | None, Header(alias="If-Match", pattern=r'^"[0-9]{1,9}"$')]
Number = Annotated[int, Path(ge=1, le=999_999_999)]
CONDITIONAL: dict[int | str, dict[str, Any]] = {412: PROBLEM, 428: PROBLEM}
TAGGED: dict[int | str, dict[str, Any]] = {
    200: {"headers": {"ETag": {"description": "The version", "schema": {"type": "string"}}}}
}


def add_tenants(app: FastAPI, door: "Entrance") -> None:
    """Add the resources, where there is a store for them and an audit log."""
    if door.tenant_store is None or door.audit is None:
        return
    tenants = Tenants(door.tenant_store, door.tenants, door.policies, door.audit)
    reads, writes = Depends(door.gate.needs_there("tenants:read")), Depends(door.gate.needs_there("tenants:write"))

    @app.get(AT, tags=TAGS, responses=TAGGED)
    async def tenant_configuration(admitted: Annotated[Admitted, reads], response: Response) -> TenantState:
        """What is configured for the tenant, and what holds of it under the platform's policies."""
        return _tagged(response, await tenants.state(admitted.tenant_id))

    @app.put(AT, tags=TAGS, responses={**TAGGED, **CONDITIONAL})
    async def configure_tenant(
        asked: ConfigureTenantRequest,
        admitted: Annotated[Admitted, writes],
        response: Response,
        if_match: IfMatch = None,
    ) -> TenantState:
        """Replace the tenant's own configuration, or as an administrator of the platform the platform's for it."""
        state = await tenants.configure(admitted.tenant_id, asked, admitted.principal, _expected(if_match))
        return _tagged(response, state)

    @app.get(f"{AT}/versions", tags=TAGS)
    async def tenant_versions(admitted: Annotated[Admitted, reads]) -> TenantVersions:
        """Who changed it when and why, newest first, the last hundred."""
        return await tenants.versions(admitted.tenant_id)

    @app.get(f"{AT}/versions/{{number}}", tags=TAGS)
    async def tenant_version(number: Number, admitted: Annotated[Admitted, reads]) -> TenantVersion:
        """One version, as it was."""
        return await tenants.store.version(admitted.tenant_id, number)

    @app.post(f"{AT}/rollback", tags=TAGS, responses={**TAGGED, **CONDITIONAL})
    async def roll_tenant_back(
        asked: RollbackTenantRequest,
        admitted: Annotated[Admitted, writes],
        response: Response,
        if_match: IfMatch = None,
    ) -> TenantState:
        """Make a new version that says what an old one said."""
        state = await tenants.roll_back(admitted.tenant_id, asked, admitted.principal, _expected(if_match))
        return _tagged(response, state)


def _tagged(response: Response, state: TenantState) -> TenantState:
    response.headers["ETag"] = f'"{state.version}"'
    return state


def _expected(if_match: str | None) -> int:
    if if_match is None:
        raise PreconditionRequired("send If-Match with the ETag of the configuration you read")
    return int(if_match.strip('"'))
