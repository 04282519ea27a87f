"""Ed25519 keys: one signs, several are trusted, each known by its own digest.

To change keys: trust the new one, sign with it, and drop the old one when nothing signed by it is in use.
"""

import base64
import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from pydantic import ValidationError

from llama_mapper.contracts.models import Signature

from .errors import KeyFault, Untrusted

_PEM = "-----BEGIN "


def key_id(public: Ed25519PublicKey) -> str:
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


class SigningKey:
    """A private key. Signing the same bytes twice gives the same signature (RFC 8032)."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key()
        self.key_id = key_id(self.public)

    @classmethod
    def generate(cls) -> "SigningKey":
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, given: str) -> "SigningKey":
        """Read a key from PEM text (PKCS 8, not encrypted), or from the file that *given* names.

        Raises:
            KeyFault: no such file, or not such a key.
        """
        try:
            pem = given.encode() if given.lstrip().startswith(_PEM) else Path(given).expanduser().read_bytes()
            private = load_pem_private_key(pem, password=None)
        except OSError as error:
            raise KeyFault(f"the signing key cannot be read: {error.strerror}") from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyFault("the signing key is not a private key in PEM without a password") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise KeyFault("the signing key is not an Ed25519 key")
        return cls(private)

    def sign(self, data: bytes) -> Signature:
        return Signature(key_id=self.key_id, signature=base64.b64encode(self._private.sign(data)).decode())

    def write(self, private: Path, trusted: Path) -> Path:
        """Write the private key to the new file *private* and the public one into the folder *trusted*.

        Returns the public key's file.

        Raises:
            KeyFault: the private key's file is there already, or a place cannot be written.
        """
        public = trusted / f"{self.key_id}.pem"
        try:
            private.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            trusted.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            public.write_bytes(self.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        except FileExistsError as error:
            raise KeyFault(f"{private} is there already; a new key needs another file") from error
        except OSError as error:
            raise KeyFault(f"the key cannot be written: {error.strerror}") from error
        return public


class Keyring:
    """The public keys that are trusted."""

    def __init__(self, *keys: Ed25519PublicKey) -> None:
        self._keys = {key_id(key): key for key in keys}

    @classmethod
    def read(cls, folder: Path) -> "Keyring":
        """Read every ``*.pem`` of *folder*.

        Raises:
            KeyFault: there is none, or one of them is not an Ed25519 public key.
        """
        return cls(*(_public(path) for path in sorted(_pem_files(folder))))

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(sorted(self._keys))

    def check(self, data: bytes, signature: bytes) -> str:
        """Return the id of the trusted key that signed *data*; *signature* is the file as it lies there.

        Raises:
            Untrusted: not a signature, an unknown key's, or one of other bytes.
        """
        try:
            said = Signature.model_validate_json(signature)
        except ValidationError as error:
            raise Untrusted("the signature cannot be read") from error
        if said.key_id not in self._keys:
            raise Untrusted(f"signed with the key {said.key_id}, which is not trusted here")
        try:
            self._keys[said.key_id].verify(base64.b64decode(said.signature), data)
        except InvalidSignature as error:
            raise Untrusted("the signature is not one of this manifest") from error
        return said.key_id


def _pem_files(folder: Path) -> list[Path]:
    found = list(folder.glob("*.pem"))
    if not found:
        raise KeyFault(f"no trusted key: there is no *.pem in {folder}")
    return found


def _public(path: Path) -> Ed25519PublicKey:
    try:
        public = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise KeyFault(f"the trusted key {path.name} cannot be read: {error.strerror}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFault(f"{path.name} is not a public key in PEM") from error
    if not isinstance(public, Ed25519PublicKey):
        raise KeyFault(f"{path.name} is not an Ed25519 public key")
    return public
