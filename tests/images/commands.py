"""The programs of the machine that are needed, run with their faults told."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

NEEDED = ("buildah", "podman", "runc", "debootstrap")
INSTALL = "apt-get install -y --no-install-recommends " + " ".join(NEEDED)


class CommandFailed(RuntimeError):
    """The message ends with what the program said last."""


def missing(*, base: bool = True) -> str | None:
    """Why images cannot be built here, or None; *base*: a Debian has to be made as well."""
    absent = [name for name in NEEDED if not shutil.which(name) and (base or name != "debootstrap")]
    if absent:
        return f"{', '.join(absent)} not found: {INSTALL}"
    if os.geteuid() != 0:
        return "building a Debian base and running containers with limits needs root"
    return None


def run(command: Sequence[str], *, log: Path | None = None) -> str:
    """Return what *command* printed; with *log* it goes there instead.

    Raises:
        CommandFailed: it ended with another status than 0.
    """
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8") as file:
            status = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False).returncode
        said = log.read_text("utf-8", errors="replace")
    else:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        status, said = done.returncode, done.stderr if done.returncode else done.stdout
    if status:
        raise CommandFailed(f"{' '.join(command[:3])} … ended with {status}: {said.strip()[-700:]}")
    return said
