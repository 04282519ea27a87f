"""The rooms of a checkout that are not in the wheel, made importable for commands that need them."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from .refusing import MISUSED, refuse

HOME = "LLAMA_MAPPER_HOME"
MAPPER = Path("inference-services", "mapper")


def open_rooms() -> Path:
    """Make ``mapper_serving`` and ``functions`` importable and return the checkout's root.

    Ends the command where there is no checkout: neither the one that ``LLAMA_MAPPER_HOME`` names, nor one around
    the package, nor one around the current folder.
    """
    root = next((folder for folder in _candidates() if (folder / MAPPER / "mapper_serving").is_dir()), None)
    if root is None:
        refuse(f"this needs a checkout of Llama Mapper: run it inside one, or set {HOME} to one", MISUSED)
    for room in (root / MAPPER, root):
        if str(room) not in sys.path:
            sys.path.append(str(room))
    return root


def _candidates() -> Iterator[Path]:
    if named := os.environ.get(HOME):
        yield Path(named).resolve()
        return
    for start in (Path(__file__).resolve().parent, Path.cwd()):
        yield start
        yield from start.parents
