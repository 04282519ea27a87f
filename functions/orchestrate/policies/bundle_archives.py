"""Bundles as files: gzipped tars that hold the same bytes whenever and wherever they are made of the same policies."""

import gzip
import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from .bundles import DATA, MANIFEST, BrokenBundle, Bundle, fault, of_files, own_roots, read_folder

MAX_BYTES = 4 * 1024 * 1024
MAX_UNPACKED_BYTES = 32 * 1024 * 1024


def build(bundle: Bundle, revision: str | None = None, *, tests: bool = True) -> bytes:
    """Return the archive; its revision is the bundle's version unless one is given.

    With its *tests* a bundle can be proven wherever it is loaded; OPA loads them and never asks them.
    """
    manifest = {"revision": revision or bundle.version, "roots": own_roots(bundle), "rego_version": 1}
    modules = bundle.modules if tests else bundle.policies
    files = {path: source.encode() for path, source in modules.items()}
    files |= {MANIFEST: _json(manifest), DATA: _json(bundle.data)}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(files):
            entry = tarfile.TarInfo(path)  # no time, owner or mode of this machine
            entry.size = len(files[path])
            archive.addfile(entry, io.BytesIO(files[path]))
    return gzip.compress(packed.getvalue(), compresslevel=9, mtime=0)


def read_path(path: Path) -> Bundle:
    """Return what *path* holds, a folder of policies or a bundle file.

    Raises:
        BrokenBundle: as ``read_folder`` and ``read``.
    """
    if path.is_dir():
        return read_folder(path)
    try:
        return read(path.read_bytes())
    except OSError as error:
        raise BrokenBundle("the policies cannot be read", fault("bundle", "unreadable")) from error


def read(archive: bytes) -> Bundle:
    """Return the bundle that *archive* holds.

    Raises:
        BrokenBundle: it is no bundle, too large, holds links or paths that lead out, or its files are none (of_files).
    """
    if len(archive) > MAX_BYTES:
        raise BrokenBundle("the bundle is too large", fault("bundle", "too_large"))
    try:
        unpacked = _unzipped(archive)
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as tar:
            files = _files(tar)
    except (OSError, EOFError, zlib.error, tarfile.TarError, UnicodeError) as error:
        raise BrokenBundle("the bundle is no gzipped tar", fault("bundle", "not_tar_gz")) from error
    return of_files(files, hashlib.sha256(archive).hexdigest())


def _unzipped(archive: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(archive)) as stream:
        unpacked = stream.read(MAX_UNPACKED_BYTES + 1)
    if len(unpacked) > MAX_UNPACKED_BYTES:
        raise BrokenBundle("the bundle is too large", fault("bundle", "too_large"))
    return unpacked


def _files(tar: tarfile.TarFile) -> Mapping[str, bytes]:
    files: dict[str, bytes] = {}
    for member in tar:
        path = PurePosixPath("/", member.name).relative_to("/")  # OPA's own bundles begin their paths with a slash
        if member.isdir():
            continue
        if not member.isfile() or ".." in path.parts or path.as_posix() in files:
            raise BrokenBundle("the bundle holds what no bundle holds", fault("bundle", "file_refused"))
        if path.name in (DATA, MANIFEST) or path.suffix == ".rego":
            content = tar.extractfile(member)
            files[path.as_posix()] = content.read() if content else b""
        elif path.suffix in (".yaml", ".yml", ".wasm"):  # OPA would read it, and we would not
            raise BrokenBundle("the bundle holds what is not read here", fault(path.as_posix(), "file_refused"))
    return files


def _json(content: object) -> bytes:
    return json.dumps(content, sort_keys=True, ensure_ascii=False, indent=2).encode() + b"\n"
