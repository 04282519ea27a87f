"""A Debian with Python 3.11, made here where no base image can be pulled, and kept."""

import hashlib
import shutil
import tempfile
from pathlib import Path

from .commands import CommandFailed, run

SUITE = "bookworm"
PACKAGES = {"base": ("ca-certificates", "python3"), "builder": ("ca-certificates", "python3", "python3-venv")}
# Translations and manuals, and what only a package manager reads: an image is replaced, not updated in place.
_DROPPED = (
    "etc/apt/sources.list",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/man",
    "var/cache/apt",
    "var/lib/apt",
)
_LOGS = "var/log"


def make(folder: Path) -> tuple[str, str]:
    """Return the names of the base image and the builder; each is made at its first use, which takes minutes.

    Raises:
        CommandFailed: Debian's archive cannot be reached, or the image cannot be stored.
    """
    base, builder = (_made(role, folder) for role in PACKAGES)
    return base, builder


def _made(role: str, folder: Path) -> str:
    key = hashlib.sha256(repr((SUITE, PACKAGES[role], _DROPPED)).encode()).hexdigest()[:12]
    image = f"localhost/llama-mapper-{role}:{key}"
    if _is_stored(image):
        return image
    archive = folder / f"{role}-{key}.tar"
    if not archive.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as tree:
            _debian(Path(tree), PACKAGES[role], folder / f"{role}.log")
            run(("tar", "--numeric-owner", "-C", tree, "-cf", f"{archive}.part", "."))
        Path(f"{archive}.part").rename(archive)
    run(("podman", "import", str(archive), image))
    return image


def _is_stored(image: str) -> bool:
    try:
        run(("podman", "image", "exists", image))
    except CommandFailed:
        return False
    return True


def _debian(tree: Path, packages: tuple[str, ...], log: Path) -> None:
    named = ",".join(packages)
    run(("debootstrap", "--variant=minbase", f"--include={named}", SUITE, str(tree)), log=log)
    tree.chmod(0o755)
    for name in _DROPPED:
        path = tree / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for path in (tree / _LOGS).rglob("*.log"):
        path.unlink()
