"""What must be kept but read by nobody else: AES-256-GCM under a tink keyset, bound to its tenant and place.

A keyset is a ring of keys: the primary one seals, all open, so keys rotate without a gap (``rotated``).
In a cluster it comes from a Secret that a KMS decrypts.
"""

import json
from collections.abc import Callable

import tink
from tink import aead, daead, json_proto_keyset_format, secret_key_access

aead.register()
daead.register()


class Unsealable(Exception):
    """Sealed with another keyset, for another tenant or place, or changed since."""


class WrongKeyset(ValueError):
    """The text is no keyset of ours; it is not quoted."""


def new_keyset() -> str:
    """Return a fresh keyset as JSON; it holds the key in the clear, so it belongs into a Secret."""
    return _text(tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM))


def new_token_keyset() -> str:
    """Return a fresh keyset for tokens (AES-SIV: equal values give equal tokens) as JSON; a secret like the other."""
    return _text(tink.new_keyset_handle(daead.deterministic_aead_key_templates.AES256_SIV))


def rotated(keyset: str, make: Callable[[], str] = new_keyset) -> str:
    """Return *keyset* with a new primary key by *make*; what the others sealed can still be opened.

    Raises:
        WrongKeyset: the text is none.
    """
    _handle(keyset)
    ring, fresh = json.loads(keyset), json.loads(make())
    # tink's KeysetManager is not in its Python package; a keyset is a list of keys and the name of the primary one.
    return json.dumps({"primaryKeyId": fresh["primaryKeyId"], "key": [*ring["key"], *fresh["key"]]})


class Sealer:
    """Seals and opens; *keyset* is the JSON of ``new_keyset``.

    Raises:
        WrongKeyset: the text is none.
    """

    def __init__(self, keyset: str) -> None:
        self._aead = _handle(keyset).primitive(aead.Aead)

    def seal(self, plain: bytes, *place: str) -> bytes:
        """Encrypt *plain* for *place*: the tenant first, then what and where it is."""
        sealed: bytes = self._aead.encrypt(plain, _bound(place))
        return sealed

    def open(self, sealed: bytes, *place: str) -> bytes:
        """Return what was sealed for *place*.

        Raises:
            Unsealable: it was not, or not with this keyset.
        """
        try:
            plain: bytes = self._aead.decrypt(sealed, _bound(place))
        except tink.TinkError:
            raise Unsealable from None
        return plain


def _bound(place: tuple[str, ...]) -> bytes:
    """Associated data; lengths in front, so that ("a", "bc") is not ("ab", "c")."""
    return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in place)


def _handle(keyset: str) -> "tink.KeysetHandle":
    try:
        return json_proto_keyset_format.parse(keyset, secret_key_access.TOKEN)
    except (tink.TinkError, ValueError):
        raise WrongKeyset("not a tink keyset in JSON") from None


def _text(handle: "tink.KeysetHandle") -> str:
    text: str = json_proto_keyset_format.serialize(handle, secret_key_access.TOKEN)
    return text
