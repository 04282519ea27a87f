"""nginx with ModSecurity and the Core Rule Set, by the configuration that is shipped, in a folder of its own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.fakes.free_ports import free_port

CONFIGURATION = Path(__file__).parents[2] / "kustomize" / "components" / "waf" / "nginx"
NEEDED = (
    Path("/usr/sbin/nginx"),
    Path("/usr/lib/nginx/modules/ngx_http_modsecurity_module.so"),
    Path("/usr/share/modsecurity-crs/rules"),
)
CONNECT_RETRIES = 8


@dataclass(frozen=True)
class Edge:
    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def logged(self) -> str:
        """Everything the edge has written, in any file of its folder."""
        files = [*self.folder.glob("logs/*"), *(file for file in self.folder.glob("tmp/**/*") if file.is_file())]
        return "".join(file.read_text("utf-8", "replace") for file in files)


def missing() -> str | None:
    """Which package is not installed here."""
    absent = [str(path) for path in NEEDED if not path.exists()]
    packages = "nginx libnginx-mod-http-modsecurity modsecurity-crs"
    return f"{absent[0]} is not here; apt-get install {packages}" if absent else None


@contextmanager
def edge(upstream: int, *, firewall: bool = True, limited: bool = True) -> Iterator[Edge]:
    """Run one before the server at *upstream*; as nobody where this process is root."""
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="llama-mapper-edge-"))
    root = os.geteuid() == 0
    try:
        for part in CONFIGURATION.glob("*.conf"):
            shutil.copy(part, folder)
        (folder / "listen.conf").write_text(f"listen 127.0.0.1:{port};\nserver_name localhost;\n", "utf-8")
        (folder / "upstream.conf").write_text(
            f"upstream orchestrate {{ server 127.0.0.1:{upstream}; keepalive 32; }}\n", "utf-8"
        )
        for written in ("logs", "tmp"):
            (folder / written).mkdir()
        main = folder / "nginx.conf"
        text = main.read_text("utf-8")
        if not firewall:
            text = text.replace("modsecurity on;", "modsecurity off;")
        if not limited:
            text = text.replace("rate=20r/s", "rate=100000r/s")
        main.write_text(text, "utf-8")
        if root:
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, "nobody")
        process = subprocess.Popen(
            [NEEDED[0], "-p", ".", "-c", "nginx.conf", "-e", "logs/error.log"],
            cwd=folder,
            user="nobody" if root else None,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            transport = httpx.HTTPTransport(retries=CONNECT_RETRIES)
            with httpx.Client(transport=transport, base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                client.get("/health").raise_for_status()
            yield Edge(port, folder)
        finally:
            process.terminate()
            process.wait(timeout=30)
    finally:
        shutil.rmtree(folder)
