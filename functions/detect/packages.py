"""Where installed packages keep their files. Nothing here imports the package it looks at."""

import importlib.util
import os
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ABSENT = "absent"
"""The version of a detector whose package is not installed; asked for, it answers ``unavailable``."""


def installed_version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ABSENT


def folder(package: str) -> Path:
    """Return the folder of an installed top-level package.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"package {package} is not installed", name=package)
    return Path(next(iter(spec.submodule_search_locations)))


def keep(path: Path, text: str) -> None:
    """Write *text* to *path* in one step; a cache that cannot be written is not used, which costs time only."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            file.write(text)
        os.replace(file.name, path)
    except OSError:
        return
