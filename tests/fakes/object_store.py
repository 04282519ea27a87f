"""A real S3: SeaweedFS in one process on this machine, with nothing kept."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import stamina

from .free_ports import free_port

HOST, ACCESS, SECRET = "127.0.0.1", "test-access", "test-secret"
# One for all: each bucket reserves volumes of its own, and those run out. Tests keep apart by prefix.
BUCKET = "models"
START_SECONDS = 90.0
_PORTS = ("master.port", "volume.port", "filer.port", "s3.port")
# Catalogues on fixed ports that nobody asks for: two servers on one machine would be in each other's way.
_OFF = ("-s3.port.iceberg=0", "-s3.port.lance=0")
# Without these it reports itself to its makers, reserves gigabytes, and takes ten seconds to end.
_SPARING = ("-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=20", "-volume.preStopSeconds=0")


@dataclass(frozen=True, slots=True)
class ObjectStore:
    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        """What the SDK reads."""
        return {"AWS_ENDPOINT_URL_S3": self.endpoint, "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}

    def client(self) -> Any:
        from boto3.session import Session
        from botocore.config import Config

        return Session().client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=ACCESS,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )


def binary() -> Path:
    """Where the package puts the server, if it is installed."""
    return Path(sys.executable).with_name("weed")


@contextmanager
def running(folder: Path) -> Iterator[ObjectStore]:
    """Start the server with its files in *folder*; it takes requests when this returns."""
    ports = {name: free_port() for name in (*_PORTS, *(f"{name}.grpc" for name in _PORTS))}
    identity = {
        "name": "test",
        "credentials": [{"accessKey": ACCESS, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    command = (
        *(str(binary()), "server", "-dir", str(folder), "-ip", HOST, "-ip.bind", HOST, "-filer", "-s3"),
        *("-s3.config", str(folder / "s3.json"), "-filer.localSocket", str(folder / "filer.sock"), *_SPARING, *_OFF),
        *(f"-{name}={port}" for name, port in ports.items()),
    )
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env={"PATH": os.environ["PATH"]})
        try:
            store = ObjectStore(f"http://{HOST}:{ports['s3.port']}")
            _await(store)
            yield store
        finally:
            server.kill()  # nothing in it is worth an orderly end
            server.wait()


def _await(store: ObjectStore) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    client = store.client()
    for attempt in stamina.retry_context(
        on=(BotoCoreError, ClientError), attempts=None, timeout=START_SECONDS, wait_initial=0.05, wait_max=0.2
    ):
        with attempt:
            client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key="probe", Body=b"probe")
