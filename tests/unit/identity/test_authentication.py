from datetime import UTC, datetime

import pytest

from llama_mapper.contracts.events import PLATFORM as SHARED
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.identity import NewApiKey, Principal
from llama_mapper.contracts.problems import InsufficientRbac, InvalidRequest, Problem, Unauthorized
from llama_mapper.identity.authentication import OPEN, Authentication, tenant_of
from llama_mapper.identity.key_stores import MemoryKeys
from llama_mapper.identity.keys import Keys

DEMO, OTHER = TenantId("demo"), TenantId("other")
NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
NEW = NewApiKey(name="ci", scopes=("orchestrate:use",))


@pytest.fixture
def keys() -> Keys:
    return Keys(MemoryKeys(), b"p" * 32)


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
async def test_a_key_comes_in_either_header(keys: Keys, header: str) -> None:
    _, presented = await keys.create(DEMO, NEW, NOW)
    value = f"bearer  {presented}" if header == "authorization" else presented
    assert (await Authentication(keys, now=lambda: NOW).principal({header: value})).tenants == (DEMO,)


async def test_nobody_is_open() -> None:
    assert await Authentication(None).principal({}) == OPEN


@pytest.mark.parametrize(
    ("headers", "problem", "says"),
    [
        ({"authorization": "Bearer x", "x-api-key": "y"}, InvalidRequest, "not both"),
        ({"authorization": "Basic YTpi"}, Unauthorized, "scheme Bearer"),
        ({"authorization": "Bearer"}, Unauthorized, "scheme Bearer"),
        ({"authorization": ""}, Unauthorized, "scheme Bearer"),
        ({"x-api-key": ""}, Unauthorized, "tokens are not taken"),
        ({"x-api-key": "lmk_wrong"}, Unauthorized, "not valid"),
        ({"authorization": "Bearer a.b.c"}, Unauthorized, "tokens are not taken"),
    ],
)
async def test_a_bad_credential_is_never_open(
    keys: Keys, headers: dict[str, str], problem: type[Problem], says: str
) -> None:
    with pytest.raises(problem, match=says):
        await Authentication(keys, now=lambda: NOW).principal(headers)


async def test_a_key_where_none_is_taken_is_refused() -> None:
    with pytest.raises(Unauthorized, match="not taken here"):
        await Authentication(None).principal({"x-api-key": "lmk_any"})


def bound(*tenants: TenantId) -> Principal:
    return Principal(subject="key:" + "a" * 12, kind="key", tenants=tenants)


@pytest.mark.parametrize(
    ("principal", "asked", "tenant"),
    [(bound(DEMO), None, DEMO), (bound(DEMO), DEMO, DEMO), (bound(DEMO, OTHER), OTHER, OTHER), (OPEN, DEMO, DEMO)],
)
def test_the_header_chooses_among_the_credentials_tenants(
    principal: Principal, asked: TenantId | None, tenant: TenantId
) -> None:
    assert tenant_of(principal, asked) == tenant


@pytest.mark.parametrize(
    ("principal", "asked", "problem"),
    [
        (bound(DEMO), OTHER, InsufficientRbac),
        (bound(), DEMO, InsufficientRbac),
        (bound(), None, InvalidRequest),
        (bound(DEMO, OTHER), None, InvalidRequest),
        (OPEN, None, InvalidRequest),
        (bound(SHARED), None, InsufficientRbac),
        (bound(DEMO, SHARED), SHARED, InsufficientRbac),
        (OPEN, SHARED, InsufficientRbac),
    ],
)
def test_and_never_adds_one(principal: Principal, asked: TenantId | None, problem: type[Problem]) -> None:
    with pytest.raises(problem):
        tenant_of(principal, asked)


PLATFORM = Principal(subject="key:" + "a" * 12, kind="key", tenants=(TenantId("*"),))


def test_the_platforms_credential_belongs_to_the_tenant_that_is_named() -> None:
    assert tenant_of(PLATFORM, DEMO) == DEMO


def test_and_alone_acts_for_what_all_tenants_share() -> None:
    assert tenant_of(PLATFORM, SHARED) == SHARED


def test_and_to_none_where_none_is_named() -> None:
    with pytest.raises(InvalidRequest, match="X-Tenant-ID"):
        tenant_of(PLATFORM, None)
