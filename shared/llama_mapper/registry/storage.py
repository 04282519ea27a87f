"""The port to where models lie: whole objects under slash-separated keys, written once or exchanged with care.

Every write is conditional, which is all that immutability and channels need: ``create`` never overwrites, ``replace``
only overwrites what the caller has read.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Blob:
    """An object as read. ``etag`` changes with the contents; ``modified`` is the storage's word, not signed."""

    data: bytes
    etag: str
    modified: datetime


class Exists(Exception):
    """``create`` met an object of that key."""


class Changed(Exception):
    """``replace`` met other contents than the caller had read, or none."""


class Storage(Protocol):
    """All methods raise ``Unreachable`` where the storage does not answer or refuses."""

    def read(self, key: str) -> Blob | None:
        """Return the object, None where there is none."""

    def digest(self, key: str) -> str | None:
        """Return the SHA-256 that the object had when it was written, None where there is none."""

    def create(self, key: str, data: bytes) -> None:
        """Write an object that is not there yet; readers see all of it or nothing.

        Raises:
            Exists: there is one.
        """

    def replace(self, key: str, data: bytes, etag: str) -> None:
        """Overwrite the object that still has *etag*.

        Raises:
            Changed: it has another one, or is gone.
        """

    def delete(self, key: str) -> None:
        """Remove the object, if it is there."""

    def names(self, prefix: str) -> list[str]:
        """Return the names one level below *prefix* (which ends in a slash or is empty), sorted."""
