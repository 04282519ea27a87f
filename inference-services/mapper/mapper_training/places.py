"""Where a job's files lie: a folder, or objects below a prefix in S3. Files travel in parts, never whole in memory."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from llama_mapper.registry import RegistryError, Unreachable


class Place(Protocol):
    """Names are slash-separated. All methods raise ``Unreachable`` where the place does not answer or refuses."""

    def names(self) -> list[str]:
        """Return the names of all files, sorted; none where nothing is there."""

    def fetch(self, name: str, to: Path) -> None:
        """Copy the file *name* to *to*, which is replaced in one step once all of it is there."""

    def keep(self, path: Path, name: str) -> None:
        """Copy the file at *path* to *name*, whatever was there before."""


def open_place(url: str) -> Place:
    """Open a folder or ``s3://bucket/prefix``; endpoint and credentials are the SDK's business.

    Raises:
        RegistryError: another kind of address.
        Unreachable: S3 cannot be used as configured.
    """
    parts = urlsplit(url)
    if parts.scheme == "s3" and parts.netloc:
        from llama_mapper.registry.s3 import connect

        return Bucket(connect(), parts.netloc, parts.path)
    if "://" in url or not url:
        raise RegistryError("a place is a folder or s3://bucket/prefix")
    return Folder(Path(url).expanduser())


def fetch_all(place: Place, to: Path) -> int:
    """Copy every file that is not at *to* yet; return how many there are."""
    names = place.names()
    for name in names:
        path = to / name
        if not path.resolve().is_relative_to(to.resolve()):
            raise RegistryError("a name leads out of its folder")
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            place.fetch(name, path)
    return len(names)


class Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> list[str]:
        files = (path for path in self._root.rglob("*") if path.is_file())
        return sorted(path.relative_to(self._root).as_posix() for path in files)

    def fetch(self, name: str, to: Path) -> None:
        _copy(self._root / name, to)

    def keep(self, path: Path, name: str) -> None:
        to = self._root / name
        to.parent.mkdir(parents=True, exist_ok=True)
        _copy(path, to)


class Bucket:
    """Objects below *prefix* in *bucket*, which must be there."""

    def __init__(self, client: Any, bucket: str, prefix: str = "") -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def names(self) -> list[str]:
        with self._speaking():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            found = [one["Key"].removeprefix(self._prefix) for page in pages for one in page.get("Contents", ())]
        return sorted(name for name in found if name and not name.endswith("/"))

    def fetch(self, name: str, to: Path) -> None:
        part = to.with_name(f"{to.name}.part")
        with self._speaking():
            self._client.download_file(self._bucket, self._prefix + name, str(part))
        part.replace(to)

    def keep(self, path: Path, name: str) -> None:
        with self._speaking():
            self._client.upload_file(str(path), self._bucket, self._prefix + name)

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """Translate the SDK's errors; its messages may hold addresses and signatures, so only codes are kept."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "unknown"))
            raise Unreachable(f"the bucket {self._bucket} cannot be used: {code}") from error
        except (BotoCoreError, Boto3Error, OSError) as error:
            raise Unreachable(f"the bucket {self._bucket} cannot be used: {type(error).__name__}") from error


def _copy(source: Path, to: Path) -> None:
    part = to.with_name(f"{to.name}.part")
    try:
        shutil.copyfile(source, part)
        part.replace(to)
    except OSError as error:
        raise Unreachable(f"{to.name} cannot be copied: {error.strerror}") from error
