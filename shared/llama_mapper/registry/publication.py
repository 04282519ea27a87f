"""Publish an experiment: every file is created once, the manifest last; only then is the version there."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from llama_mapper.contracts.models import MANIFEST, SIGNATURE, Manifest

from .catalogue import CHANNELS, Registry, file_key
from .errors import AlreadyPublished, LostRace, Unfinished, Unpublishable
from .experiment import Bundle, bundle
from .keys import SigningKey
from .storage import Changed, Exists, Storage


def _silent(_: str) -> None:
    pass


def publish(
    registry: Registry,
    folder: Path,
    key: SigningKey,
    *,
    taxonomy: str | None = None,
    discard_unfinished: bool = False,
    progress: Callable[[str], None] = _silent,
) -> Manifest:
    """Publish the experiment in *folder* under the version in its card, signed with *key*.

    Until the manifest is written nobody sees the version; a publication that was interrupted goes on where it was.

    Args:
        taxonomy: the version it was trained with, where the training's record does not say it.
        discard_unfinished: first delete what an interrupted upload of this version left; for when nobody else is
            publishing it.
        progress: told the name of each file once it lies there.

    Raises:
        Unpublishable: the folder is not a trained and scored experiment.
        AlreadyPublished: versions never change; ``identical`` says whether the contents are these.
        Unfinished: an interrupted upload holds other contents.
        LostRace: somebody else published other contents meanwhile.
    """
    made = bundle(folder, taxonomy)
    if made.version in CHANNELS:
        raise Unpublishable(f"{made.version} is the name of a channel")
    _refuse_if_there(registry.storage, made)
    if discard_unfinished:
        for name in (SIGNATURE, *made.files):
            registry.storage.delete(file_key(made.version, name))
    for name, data in made.files.items():
        _upload(registry.storage, made.version, name, data)
        progress(name)
    _sign(registry.storage, made, key)
    _commit(registry.storage, made)
    progress(MANIFEST)
    return made.manifest


def _refuse_if_there(storage: Storage, made: Bundle) -> None:
    there = storage.read(file_key(made.version, MANIFEST))
    if there:
        raise AlreadyPublished(made.version, identical=there.data == made.signed_bytes())


def _upload(storage: Storage, version: str, name: str, data: bytes) -> None:
    """Create the file, unless an earlier or a parallel attempt has done so with the same contents."""
    key = file_key(version, name)
    there = storage.digest(key)
    if there is None:
        try:
            storage.create(key, data)
        except Exists:
            there = storage.digest(key)
        else:
            return
    if there != hashlib.sha256(data).hexdigest():
        raise Unfinished(
            f"an unfinished upload of {version} holds another {name}; if nobody is publishing it, discard it"
        )


def _sign(storage: Storage, made: Bundle, key: SigningKey) -> None:
    """Write the signature; one that a key used before left behind is replaced.

    Two publishers who come this far have the same manifest, so either's signature is right.
    """
    data = (key.sign(made.signed_bytes()).model_dump_json(indent=2) + "\n").encode()
    where = file_key(made.version, SIGNATURE)
    try:
        there = storage.read(where)
        if there is None:
            storage.create(where, data)
        elif there.data != data:
            storage.replace(where, data, there.etag)
    except (Exists, Changed) as error:
        by_now = storage.read(where)
        if by_now is None or by_now.data != data:  # equal: ours, its answer having got lost on the way
            raise LostRace(f"somebody else is publishing {made.version}: look, and do it again if need be") from error


def _commit(storage: Storage, made: Bundle) -> None:
    where = file_key(made.version, MANIFEST)
    try:
        storage.create(where, made.signed_bytes())
    except Exists as error:
        there = storage.read(where)
        if there is None or there.data != made.signed_bytes():
            raise LostRace(f"somebody else published {made.version} meanwhile") from error
        # Ours, the answer having got lost on the way, or another's of the same contents: either is what was asked for.
