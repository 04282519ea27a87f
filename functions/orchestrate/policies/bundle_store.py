"""The bundle store: finished bundles under a path and a tag, in a folder or an S3 bucket.

``platform/decision:2026.11`` is the object ``platform/decision/2026.11.tar.gz``. A tag is written once; one that is
meant to move (``latest``) is moved on purpose.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from llama_mapper.contracts.problems import PolicyNotFound, Unavailable
from llama_mapper.registry.errors import RegistryError
from llama_mapper.registry.storage import Changed, Exists, Storage

from .bundle_archives import read
from .bundles import Bundle

LATEST = "latest"


class AlreadyThere(Exception):
    """A tag that is there names other contents, or somebody moved it meanwhile."""


class BundleStore:
    """All methods raise ``Unavailable`` where the store does not answer."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def digest(self, reference: str) -> str | None:
        """The SHA-256 of the bundle that *reference* names now, None where there is none."""
        with _speaking():
            return self._storage.digest(_key(reference))

    def fetch(self, reference: str, sha256: str | None = None) -> bytes:
        """Return the archive.

        Raises:
            PolicyNotFound: there is none, or not with the digest *sha256*.
        """
        with _speaking():
            blob = self._storage.read(_key(reference))
        if blob is None:
            raise PolicyNotFound("the bundle store has no such bundle")
        if sha256 is not None and hashlib.sha256(blob.data).hexdigest() != sha256:
            raise PolicyNotFound("the bundle in the store has another digest than the one expected")
        return blob.data

    def read(self, reference: str) -> Bundle:
        """Return the bundle.

        Raises:
            PolicyNotFound: there is none, or (BrokenBundle) it is broken.
        """
        return read(self.fetch(reference))

    def put(self, reference: str, archive: bytes) -> None:
        """Keep *archive*; the same again is no change.

        Raises:
            AlreadyThere: the tag names other contents.
        """
        with _speaking():
            try:
                self._storage.create(_key(reference), archive)
            except Exists as error:
                if self._storage.digest(_key(reference)) != hashlib.sha256(archive).hexdigest():
                    raise AlreadyThere(reference) from error

    def move(self, reference: str, archive: bytes) -> None:
        """Let *reference* name *archive*, whatever it named before.

        Raises:
            AlreadyThere: somebody else moved it at the same moment.
        """
        with _speaking():
            before = self._storage.read(_key(reference))
            try:
                if before is None:
                    self._storage.create(_key(reference), archive)
                else:
                    self._storage.replace(_key(reference), archive, before.etag)
            except (Exists, Changed) as error:
                raise AlreadyThere(reference) from error


def open_store(url: str) -> BundleStore:
    """Open ``s3://bucket/prefix``, ``file:///folder`` or a plain folder.

    Raises:
        Unavailable: S3 cannot be used as configured, or it is another kind of address.
    """
    from llama_mapper.registry import open_registry  # its signatures take 40 ms to import, and a folder needs none

    with _speaking():
        return BundleStore(open_registry(url).storage)


def _key(reference: str) -> str:
    path, _, tag = reference.partition(":")
    return f"{path}/{tag or LATEST}.tar.gz"


@contextmanager
def _speaking() -> Iterator[None]:
    try:
        yield
    except RegistryError as error:
        raise Unavailable("the bundle store does not answer", retry_after_seconds=5) from error
