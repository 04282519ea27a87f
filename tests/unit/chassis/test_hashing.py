import hashlib
import hmac

import pytest

from llama_mapper.chassis.hashing import content_hmac
from llama_mapper.contracts.identifiers import TenantId

KEY, TENANT, TEXT = b"k" * 32, TenantId("demo"), "Grüße an Ada"


def test_it_is_hmac_sha256_of_tenant_and_content() -> None:
    expected = hmac.new(KEY, b"demo\0" + TEXT.encode(), hashlib.sha256).hexdigest()
    assert content_hmac(KEY, TENANT, TEXT) == expected


def test_equal_content_of_one_tenant_is_equal() -> None:
    assert content_hmac(KEY, TENANT, TEXT) == content_hmac(KEY, TENANT, TEXT)


@pytest.mark.parametrize(
    ("key", "tenant", "text"),
    [(b"j" * 32, "demo", TEXT), (KEY, "other", TEXT), (KEY, "demo", TEXT + " "), (KEY, "dem", "o" + TEXT)],
    ids=["key", "tenant", "content", "boundary"],
)
def test_anything_else_differs(key: bytes, tenant: str, text: str) -> None:
    assert content_hmac(key, TenantId(tenant), text) != content_hmac(KEY, TENANT, TEXT)


def test_half_a_surrogate_pair_does_not_stop_it() -> None:
    assert len(content_hmac(KEY, TENANT, "\ud800")) == 64
