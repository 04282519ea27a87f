"""Models in a folder of this machine."""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from .errors import Unreachable
from .storage import Blob, Changed, Exists


class DirectoryStorage:
    """Each object is a file below *root*; names that begin with a dot are its own drafts and locks."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, key: str) -> Blob | None:
        with self._speaking():
            try:
                with self._path(key).open("rb") as file:
                    data, seconds = file.read(), os.fstat(file.fileno()).st_mtime
            except FileNotFoundError:
                return None
        return Blob(data, hashlib.sha256(data).hexdigest(), datetime.fromtimestamp(seconds, UTC))

    def digest(self, key: str) -> str | None:
        blob = self.read(key)
        return blob.etag if blob else None

    def create(self, key: str, data: bytes) -> None:
        with self._speaking(), self._draft(key, data) as draft:
            try:
                os.link(draft, self._path(key))  # unlike a rename it refuses to overwrite, in one step
            except FileExistsError:
                raise Exists(key) from None

    def replace(self, key: str, data: bytes, etag: str) -> None:
        path = self._path(key)
        with self._speaking(), self._draft(key, data) as draft, self._alone(path.parent):
            if self.digest(key) != etag:
                raise Changed(key)
            draft.replace(path)

    def delete(self, key: str) -> None:
        with self._speaking():
            self._path(key).unlink(missing_ok=True)

    def names(self, prefix: str) -> list[str]:
        with self._speaking():
            try:
                found = os.listdir(self._path(prefix))
            except FileNotFoundError:
                return []
        return sorted(name for name in found if not name.startswith("."))

    def _path(self, key: str) -> Path:
        return self._root / key

    @contextmanager
    def _draft(self, key: str, data: bytes) -> Iterator[Path]:
        """A finished file beside *key*'s, on the disk before anything can name it."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        try:
            with draft.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield draft
        finally:
            draft.unlink(missing_ok=True)

    @contextmanager
    def _alone(self, folder: Path) -> Iterator[None]:
        """Keep others out between comparison and rename; the kernel drops the lock however this process ends."""
        with (folder / ".lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Unreachable(f"the registry {self._root} cannot be used: {error.strerror}") from error
