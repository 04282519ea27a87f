"""Whether an adapter is, file by file, the one that somebody trusted has signed."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from llama_mapper.contracts.models import MANIFEST, SIGNATURE, Manifest

from .errors import Untrusted
from .keys import Keyring


@dataclass(frozen=True, slots=True)
class Verified:
    """An adapter whose signature and digests are right; ``files`` holds every one, manifest and signature included."""

    manifest: Manifest
    key_id: str
    files: Mapping[str, bytes]


def verified(read: Callable[[str], bytes | None], trusted: Keyring) -> Verified:
    """Check manifest, signature and every file that *read* returns by name (None where there is none).

    Raises:
        Untrusted: something is missing, not signed by a trusted key, or not what was signed.
    """
    signed, signature = read(MANIFEST), read(SIGNATURE)
    if signed is None or signature is None:
        raise Untrusted(f"there is no {SIGNATURE if signed else MANIFEST}")
    key_id = trusted.check(signed, signature)
    try:
        manifest = Manifest.model_validate_json(signed)
    except ValidationError as error:
        raise Untrusted("the manifest is signed, but of a form that is not known here") from error
    files = {MANIFEST: signed, SIGNATURE: signature}
    for file in manifest.files:
        data = read(file.name)
        if data is None:
            raise Untrusted(f"{file.name} is missing")
        if len(data) != file.size or hashlib.sha256(data).hexdigest() != file.sha256:
            raise Untrusted(f"{file.name} is not what was signed")
        files[file.name] = data
    return Verified(manifest, key_id, files)


def verify_folder(folder: Path, trusted: Keyring) -> Manifest:
    """Check an adapter as it lies in *folder*, as ``pull`` leaves it.

    Raises:
        Untrusted: see ``verified``, or a file cannot be read.
    """

    def read(name: str) -> bytes | None:
        try:
            return (folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Untrusted(f"{name} cannot be read") from error

    return verified(read, trusted).manifest
