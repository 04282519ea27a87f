"""Bring a version to a folder, where serving or a merge finds it."""

import secrets
import shutil
from pathlib import Path

from llama_mapper.contracts.models import Manifest

from .catalogue import Registry, verify
from .errors import RegistryError
from .keys import Keyring


def pull(registry: Registry, name: str, dest: Path, trusted: Keyring) -> Manifest:
    """Put every file of a version (by its name or a channel's) into the new folder *dest*, manifest and signature too.

    Signature and digests are checked before anything is written, and the folder appears with all files or not at all.

    Raises:
        UnknownVersion, ChannelEmpty, Untrusted
        RegistryError: *dest* is there and not empty, or cannot be written.
    """
    dest = dest.absolute()
    if dest.exists() and (not dest.is_dir() or any(dest.iterdir())):
        raise RegistryError(f"{dest} is there already; give a new folder")
    found = verify(registry, name, trusted)
    # Beside the target, since a rename in one step needs the same file system.
    draft = dest.with_name(f".{dest.name}.{secrets.token_hex(6)}")
    try:
        draft.mkdir(parents=True)
        for file, data in found.files.items():
            (draft / file).write_bytes(data)
        draft.rename(dest)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise RegistryError(f"{dest} cannot be written: {error.strerror}") from error
    return found.manifest
