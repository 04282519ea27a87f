"""From a request's headers to a principal and its tenant.

``Authorization: Bearer`` carries a key of ours or a provider's token (RFC 6750), ``X-API-Key`` a key. The tenant is the
credential's: ``X-Tenant-ID`` chooses among several, and one that the credential is not bound to is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from llama_mapper.contracts.events import PLATFORM
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.identity import Principal
from llama_mapper.contracts.problems import FieldError, InsufficientRbac, InvalidRequest, Unauthorized

from .keys import PREFIX, Keys, utc_now
from .tokens import Tokens

EVERY_TENANT = TenantId("*")
"""Among a credential's tenants it makes it the platform's own, and stands nowhere else: no request is for it."""
OPEN = Principal(subject="open", kind="open")


class Authentication:
    """*keys* and *tokens* are what this service takes; without either everybody is ``open``, as on a laptop."""

    def __init__(self, keys: Keys | None, tokens: Sequence[Tokens] = (), now: Callable[[], datetime] = utc_now) -> None:
        self._keys = keys
        self._tokens = tokens
        self._now = now

    async def principal(self, headers: Mapping[str, str]) -> Principal:
        """Say who asks; nobody in particular is ``open``, which policies let into tenants that need no key.

        Raises:
            InvalidRequest: two credentials at once: which one counts must not be left to chance.
            Unauthorized: a credential that is not valid, or of a kind that is not taken here.
        """
        presented = _presented(headers)
        if presented is None:
            return OPEN
        if presented.startswith(f"{PREFIX}_"):
            if self._keys is None:
                raise Unauthorized("API keys are not taken here")
            return await self._keys.verify(presented, self._now())
        return await self._of_token(presented)

    async def _of_token(self, presented: str) -> Principal:
        refused = Unauthorized("tokens are not taken here")
        for tokens in self._tokens:
            try:
                return await tokens.verify(presented)
            except Unauthorized as problem:
                refused = problem
        raise refused


def _presented(headers: Mapping[str, str]) -> str | None:
    authorization, api_key = headers.get("authorization"), headers.get("x-api-key")
    if authorization is None:
        return api_key
    if api_key is not None:
        raise InvalidRequest("send Authorization or X-API-Key, not both")
    scheme, _, credential = authorization.partition(" ")
    if scheme.lower() != "bearer" or not credential.strip():
        raise Unauthorized("Authorization takes the scheme Bearer")
    return credential.strip()


def is_platforms(principal: Principal) -> bool:
    """Whether the platform itself asks."""
    return EVERY_TENANT in principal.tenants


def tenant_of(principal: Principal, asked: TenantId | None) -> TenantId:
    """Return the tenant a request is for.

    Raises:
        InsufficientRbac: the credential is bound to other tenants, or the request is for ``PLATFORM``, under which what
            all tenants share stands, and another than the platform asks.
        InvalidRequest: it is not said which of several, or nobody said anything.
    """
    tenant_id = _tenant_of(principal, asked)
    if tenant_id == PLATFORM and not is_platforms(principal):
        raise InsufficientRbac("only the platform's own credential acts for all tenants")
    return tenant_id


def _tenant_of(principal: Principal, asked: TenantId | None) -> TenantId:
    if principal.kind == "open":
        if asked is None:
            fault = FieldError(field="X-Tenant-ID", message="Field required")
            raise InvalidRequest("check: X-Tenant-ID", errors=(fault,))
        return asked
    if is_platforms(principal):
        if asked is None:
            raise InvalidRequest("the platform's credential belongs to every tenant: say which by X-Tenant-ID")
        return asked  # policies/access says what it may do there
    if asked is not None:
        if asked not in principal.tenants:
            raise InsufficientRbac("the credential does not belong to that tenant")
        return asked
    if len(principal.tenants) != 1:
        raise InvalidRequest("the credential belongs to several tenants or none: say which by X-Tenant-ID")
    return principal.tenants[0]
