"""The run directory: everything one run keeps on disk, and the lock that says it is running."""

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from llama_mapper.chassis.sealing import new_keyset, new_token_keyset

from .refusal import CannotRun

ENVIRONMENT = "LLAMA_MAPPER_RUN_DIR"
LOCK_ATTEMPTS, LOCK_PAUSE_SECONDS = 5, 0.02
_KEPT_BETWEEN_RUNS = ("logs", "analytics", "valkey", "broker")


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """Paths below *path*; the directory is its owner's alone (0700)."""

    path: Path

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def analytics(self) -> Path:
        return self.path / "analytics"

    @property
    def valkey(self) -> Path:
        return self.path / "valkey"

    @property
    def state(self) -> Path:
        return self.path / "run.json"

    @property
    def console_log(self) -> Path:
        """What a run in the background would have shown."""
        return self.logs / "up.log"

    @property
    def _lock(self) -> Path:
        return self.path / "run.lock"

    def create(self) -> None:
        """Make the directory and the ones below it.

        Raises:
            CannotRun: the place cannot be written.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.logs, self.analytics, self.valkey):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise CannotRun(f"cannot write the run directory {self.path}: {error.strerror}") from error

    def forget(self) -> None:
        """Delete what earlier runs kept; anything else that a person put into the directory stays."""
        for name in _KEPT_BETWEEN_RUNS:
            shutil.rmtree(self.path / name, ignore_errors=True)
        self.state.unlink(missing_ok=True)
        self.create()

    def lock(self) -> int:
        """Take the lock for as long as this process lives; returns the open descriptor.

        A lock, not a pid file: the kernel drops it however the process ends, and no reused pid can look like ours.

        Raises:
            CannotRun: another run holds it.
        """
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        for _ in range(LOCK_ATTEMPTS):  # `in_use` of another process holds it for a moment
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(LOCK_PAUSE_SECONDS)
            else:
                return descriptor
        os.close(descriptor)
        raise CannotRun(
            f"already running in {self.path}; see `llama-mapper status`, or stop it with `llama-mapper down`"
        )

    def in_use(self) -> bool:
        """Say whether a run holds the lock now."""
        try:
            descriptor = os.open(self._lock, os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def key(self) -> str:
        """Return the installation's HMAC key (64 hex digits), made at the first run and kept."""
        return self._kept("hmac.key", lambda: secrets.token_hex(32))

    def pepper(self) -> str:
        """Return what makes the installation's API keys useless elsewhere, made at the first run and kept."""
        return self._kept("pepper.key", lambda: secrets.token_hex(32))

    def keyset(self) -> str:
        """Return the keyset that seals what the installation keeps, made at the first run and kept."""
        return self._kept("keyset.json", new_keyset)

    def token_keyset(self) -> str:
        """Return the keyset of the installation's tokens, made at the first run and kept."""
        return self._kept("token-keyset.json", new_token_keyset)

    def _kept(self, name: str, make: Callable[[], str]) -> str:
        path = self.path / name
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(make())
        return path.read_text().strip()


def choose(path: Path | None, root: Path) -> RunDirectory:
    """The directory asked for, else ``$LLAMA_MAPPER_RUN_DIR``, else ``.run`` under *root*."""
    named = path or (Path(os.environ[ENVIRONMENT]) if os.environ.get(ENVIRONMENT) else root / ".run")
    return RunDirectory(named.expanduser().resolve())
