"""A framework version that was released keeps its meaning: a lock of digests, and the earlier versions beside it.

``released.json`` maps ``soc2@2026.11`` to the digest of what that file means; ``earlier/soc2@2026.11.yaml`` holds a
version that a newer one replaced, so that evidence made with it can be read again.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..frameworks import Framework, FrameworkError, Frameworks, read

LOCK = "released.json"
EARLIER = "earlier"


class ReleaseError(ValueError):
    """What was released was changed or lost; the message names every case on a line of its own."""


def key(framework: Framework) -> str:
    return f"{framework.framework}@{framework.version}"


def digest(framework: Framework) -> str:
    """SHA-256 of all that the file says: order, comments and line breaks of the YAML do not count.

    Fields left at their default are left out, so that a field added to the format later changes no digest.
    """
    said = framework.model_dump(mode="json", exclude_defaults=True)
    for name, by in (("controls", "id"), ("mappings", "label")):
        said[name] = sorted(said[name], key=lambda entry: str(entry[by]))
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def read_lock(folder: Path) -> Mapping[str, str]:
    """Read what was released.

    Raises:
        ReleaseError: the lock cannot be read.
    """
    path = folder / LOCK
    try:
        lock = json.loads(path.read_text("utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise ReleaseError(f"{LOCK}: cannot be read ({type(error).__name__})") from error
    if not isinstance(lock, dict) or not all(isinstance(value, str) for value in lock.values()):
        raise ReleaseError(f"{LOCK}: is no list of digests")
    return lock


def faults(folder: Path) -> list[str]:
    """Return every breach of the lock: changed, not released, or released and gone."""
    return list(_faults(folder, read_lock(folder)))


def _faults(folder: Path, lock: Mapping[str, str]) -> Iterator[str]:
    current = {key(framework): framework for framework in Frameworks.load(folder).all}
    for name, framework in current.items():
        if name not in lock:
            yield f"{name}: not released; look at `frameworks diff`, then run `frameworks release`"
        elif lock[name] != digest(framework):
            yield f"{name}: changed after its release; give it a new version and keep the released file in {EARLIER}/"
    for name in sorted(set(lock) - set(current)):
        path = folder / EARLIER / f"{name}.yaml"
        try:
            if digest(read(path)) != lock[name]:
                yield f"{name}: {EARLIER}/{path.name} is not what was released"
        except FrameworkError:
            yield f"{name}: was released and is not in {EARLIER}/"


def release(folder: Path) -> tuple[str, ...]:
    """Lock what is not locked yet and return it; nothing is written where a released version was changed or lost.

    Raises:
        ReleaseError: with every such breach.
    """
    lock = read_lock(folder)
    current = Frameworks.load(folder).all
    new = {key(framework): digest(framework) for framework in current if key(framework) not in lock}
    merged = dict(sorted({**lock, **new}.items()))
    if broken := list(_faults(folder, merged)):
        raise ReleaseError("\n".join(broken))
    if new:
        (folder / LOCK).write_text(json.dumps(merged, indent=2) + "\n", "utf-8")
    return tuple(sorted(new))


def find(folder: Path, name: str) -> Framework:
    """The framework called *name*, or that version of it (``soc2@2026.11``), current or earlier.

    Raises:
        FrameworkError: there is none.
    """
    wanted, _, version = name.partition("@")
    for framework in Frameworks.load(folder).all:
        if framework.framework == wanted and version in ("", framework.version):
            return framework
    if not version or not (folder / EARLIER / f"{name}.yaml").is_file():
        raise FrameworkError(f"no framework {name}, neither in use nor in {EARLIER}/")
    return read(folder / EARLIER / f"{name}.yaml")
