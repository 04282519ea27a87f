"""This machine's pip settings, handed to a build as secrets: no layer keeps them.

Folders of packages on this machine are served on the loopback address for as long as the build takes: mounted as
volumes they would leave their names in the image.
"""

import ast
import http.server
import shlex
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pip._internal.models.index import PyPI  # the public index, which packages themselves name

_LISTS = ("index-url", "extra-index-url", "find-links", "trusted-host")
_PLAIN = ("proxy", "default-timeout", "timeout", "retries")
_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True)
class PackageIndex:
    """What a build is given, and what must not be found in an image afterwards."""

    arguments: tuple[str, ...]
    traces: tuple[str, ...]


class _Folders(http.server.SimpleHTTPRequestHandler):
    """Serves the files below *roots* by their path, and nothing else."""

    roots: tuple[Path, ...] = ()

    def translate_path(self, path: str) -> str:
        asked = Path(unquote(urlsplit(path).path)).resolve()
        return str(asked) if any(asked.is_relative_to(root) for root in self.roots) else "/nothing/is/here"

    def log_message(self, *args: object) -> None:
        """Says nothing: the build's own log has every address."""


@contextmanager
def open_index() -> Iterator[PackageIndex]:
    """Yield the arguments for ``buildah bud``; what they name, passwords perhaps, is there until the block ends."""
    settings = _settings()
    roots = tuple({_root(token) for key in _LISTS for token in settings.get(key, "").split() if _local(token)})
    handler = type("Folders", (_Folders,), {"roots": roots})
    with (
        tempfile.TemporaryDirectory() as folder,
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield _handed(settings, f"http://127.0.0.1:{server.server_port}", roots, Path(folder))
        finally:
            server.shutdown()


def _handed(settings: dict[str, str], served: str, roots: tuple[Path, ...], folder: Path) -> PackageIndex:
    lines = ["[global]"]
    hosts = set()
    for key in _LISTS:
        tokens = settings.get(key, "").split()
        hosts |= {urlsplit(token).hostname or token for token in tokens if not _local(token)}
        if tokens:
            told = (f"{served}{_path(token)}" if _local(token) else token for token in tokens)
            lines.append(f"{key} = {' '.join(told)}")
    lines += [f"{key} = {settings[key]}" for key in _PLAIN if key in settings]
    bundle = Path(settings.get("cert", str(_BUNDLE)))
    arguments: tuple[str, ...] = ()
    if bundle.is_file():
        lines.append("cert = /run/secrets/ca.crt")
        arguments = ("--secret", f"id=ca.crt,src={bundle}")
    (folder / "pip.conf").write_text("\n".join(lines) + "\n", "utf-8")
    traces = {*map(str, roots), served.removeprefix("http://"), *(hosts - {PyPI.netloc})}
    return PackageIndex(("--secret", f"id=pip.conf,src={folder / 'pip.conf'}", *arguments), tuple(sorted(traces)))


def _settings() -> dict[str, str]:
    """pip's settings by their name alone; the environment and the commands' own sections win over ``global``."""
    listed = subprocess.run((sys.executable, "-m", "pip", "config", "list"), capture_output=True, text=True, check=True)
    found: dict[str, str] = {}
    for line in sorted(listed.stdout.splitlines(), key=lambda line: not line.startswith("global.")):
        name, _, value = line.partition("=")
        read = str(ast.literal_eval(value))
        found[name.rpartition(".")[2]] = " ".join(shlex.split(read))
    return found


def _local(token: str) -> bool:
    return token.startswith(("/", "file:"))


def _path(token: str) -> str:
    return urlsplit(token).path if token.startswith("file:") else token


def _root(token: str) -> Path:
    """An index's pages link to files beside its own folder."""
    path = Path(_path(token)).resolve()
    return path.parent if token.startswith("file:") else path
