"""What stands in a redacted text for a value: a keyed hash, or a token that can be turned back. Both are one tenant's.

Tokens are deterministic authenticated encryption (AES-SIV, RFC 5297, by tink) with the tenant as associated data: equal
values of a tenant give equal tokens, so that a text still says who is meant twice, and no other tenant can read them or
tell that two are equal. That equality is also what whoever reads the text learns; a mask says less.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable

import tink
from tink import daead, json_proto_keyset_format, secret_key_access

from llama_mapper.chassis.sealing import WrongKeyset
from llama_mapper.contracts.identifiers import TenantId

HASH_CHARACTERS = 32
"""128 bits: two values of a tenant never meet, and a hash is no longer than it must be."""
_TOKEN = re.compile(r"<[A-Z][A-Za-z0-9_.]{0,79}:t\.([A-Za-z0-9_-]{28,})>")
"""28: what an empty value takes, tink's 5 bytes of key id and 16 of SIV."""


class Hashes:
    """*secret* is the installation's; each tenant's key is derived from it."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def of(self, tenant_id: TenantId) -> Callable[[str], str]:
        key = hmac.new(self._secret, b"redaction\n" + tenant_id.encode(), hashlib.sha256).digest()
        return lambda value: "h." + hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:HASH_CHARACTERS]


class Tokens:
    """*keyset* is the JSON of ``sealing.new_token_keyset``: the primary key makes tokens, all turn them back.

    Raises:
        WrongKeyset: the text is none.
    """

    def __init__(self, keyset: str) -> None:
        try:
            handle = json_proto_keyset_format.parse(keyset, secret_key_access.TOKEN)
            self._daead = handle.primitive(daead.DeterministicAead)
        except (tink.TinkError, ValueError):
            raise WrongKeyset("not a tink keyset of AES-SIV in JSON") from None

    def of(self, tenant_id: TenantId) -> Callable[[str], str]:
        bound = _bound(tenant_id)

        def token(value: str) -> str:
            sealed = self._daead.encrypt_deterministically(value.encode(), bound)
            return "t." + base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

        return token

    def restore(self, text: str, tenant_id: TenantId) -> tuple[str, int, int]:
        """Return *text* with the tenant's tokens turned back, how many those were, and how many could not be."""
        bound = _bound(tenant_id)
        restored = unknown = 0

        def back(match: re.Match[str]) -> str:
            nonlocal restored, unknown
            try:
                padded = match.group(1) + "=" * (-len(match.group(1)) % 4)
                value: str = self._daead.decrypt_deterministically(base64.urlsafe_b64decode(padded), bound).decode()
            except (tink.TinkError, binascii.Error):
                unknown += 1
                return match.group()
            restored += 1
            return value

        return _TOKEN.sub(back, text), restored, unknown


def _bound(tenant_id: TenantId) -> bytes:
    return b"redaction\n" + tenant_id.encode()
