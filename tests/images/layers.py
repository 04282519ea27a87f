"""An image's layers as a registry would hold them: their size, and whether they name this machine."""

import gzip
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .commands import run

_CHUNK = 1 << 22


@dataclass(frozen=True)
class Pushed:
    """Compressed layers, base first."""

    digest: str
    sizes: tuple[int, ...]
    traces: tuple[str, ...]
    """What of the given words was found in a layer or in the image's configuration."""


def push(image: str, folder: Path, words: Iterable[str]) -> Pushed:
    """Push *image* into *folder*, look into every layer for *words*, and remove the folder again."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    digest = folder.parent / f"{folder.name}.digest"
    try:
        run(("buildah", "push", "--quiet", "--format", "oci", "--digestfile", str(digest), image, f"dir:{folder}"))
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        blobs = [folder / blob["digest"].partition(":")[2] for blob in (*manifest["layers"], manifest["config"])]
        wanted = {word.encode() for word in words}
        found = sorted({word.decode() for blob in blobs for word in _within(blob, wanted)})
        return Pushed(digest.read_text().strip(), tuple(one["size"] for one in manifest["layers"]), tuple(found))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        digest.unlink(missing_ok=True)


def _within(blob: Path, words: set[bytes]) -> set[bytes]:
    found: set[bytes] = set()
    keep = max(map(len, words), default=1)
    tail = b""
    for chunk in _chunks(blob):
        text = tail + chunk
        found |= {word for word in words - found if word in text}
        tail = text[-keep:]
    return found


def _chunks(blob: Path) -> Iterator[bytes]:
    with blob.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with gzip.open(blob, "rb") if packed else blob.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk
