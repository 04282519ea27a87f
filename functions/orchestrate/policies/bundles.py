"""Policies as a whole: what a folder or an OPA bundle holds, its version, and bundles made so that OPA takes them too.

A bundle is a gzipped tar of ``.manifest``, ``data.json`` and ``*.rego`` as https://www.openpolicyagent.org/docs/management-bundles
describes it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import TypeAdapter, ValidationError

from llama_mapper.contracts.policies import BundleFile, PolicyFault
from llama_mapper.contracts.wire import Token

PACKAGES = "llama_mapper"
"""The root of all our packages: ``data.llama_mapper.decision``."""

DATA, MANIFEST = "data.json", ".manifest"
# What kubelet swaps, in one step, when a ConfigMap changes.
SWAPPED = "..data"
MAX_FILES = 500
MAX_FILE_BYTES = 2 * 1024 * 1024

_FILE: TypeAdapter[str] = TypeAdapter(BundleFile)
_WORD: TypeAdapter[str] = TypeAdapter(Token)


class BrokenBundle(ValueError):
    """Policies that cannot be put in force; ``faults`` says where, without quoting them."""

    def __init__(self, detail: str, *faults: PolicyFault) -> None:
        super().__init__(detail)
        self.detail, self.faults = detail, faults


def fault(file: str, code: str, line: int = 1) -> PolicyFault:
    """A fault in *file*, which may have a name that no answer should carry."""
    try:
        named = _FILE.validate_python(file.removeprefix("."))
    except ValidationError:
        named = "bundle"
    return PolicyFault(file=named, line=max(1, line), code=code)


@dataclass(frozen=True)
class Bundle:
    """``modules``: path -> Rego, tests included. ``sha256`` is the archive's, None where there is only a folder."""

    modules: Mapping[str, str]
    data: Mapping[str, Any]
    revision: str | None = None
    roots: tuple[str, ...] = field(default=("",))
    sha256: str | None = None

    @cached_property
    def policies(self) -> dict[str, str]:
        return {path: source for path, source in self.modules.items() if not is_test(path)}

    @cached_property
    def tests(self) -> dict[str, str]:
        return {path: source for path, source in self.modules.items() if is_test(path)}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what decides: rules and data, in whatever folders they lie; tests decide nothing."""
        digest = hashlib.sha256()
        for path in sorted(self.policies, key=lambda path: (PurePosixPath(path).name, path)):
            digest.update(hashlib.sha256(self.policies[path].encode()).digest())
        digest.update(json.dumps(self.data, sort_keys=True, separators=(",", ":")).encode())
        return digest.hexdigest()

    @cached_property
    def version(self) -> str:
        """What decisions name: the data's version (the revision where it has none) and the digest's beginning."""
        return f"{self.data.get('version') or self.revision}+{self.digest[:12]}"


def is_test(path: str) -> bool:
    return PurePosixPath(path).stem.endswith("_test")


def read_folder(folder: Path) -> Bundle:
    """Read every ``*.rego`` and ``data.json`` below *folder*; a mounted ConfigMap is read as of one moment.

    Raises:
        BrokenBundle: the folder cannot be read or holds no policy, or its data are none.
    """
    base = folder / SWAPPED if (folder / SWAPPED).exists() else folder
    try:
        base = base.resolve()  # once: what is swapped meanwhile is not read
        paths = [path for path in sorted(base.rglob("*")) if path.name.endswith(".rego") or path.name == DATA]
        files = {path.relative_to(base).as_posix(): path.read_bytes() for path in paths if path.is_file()}
    except OSError as error:
        raise BrokenBundle("the policy folder cannot be read", fault("bundle", "unreadable")) from error
    return of_files({path: data for path, data in files.items() if not path.startswith("..")})


def of_files(files: Mapping[str, bytes], sha256: str | None = None) -> Bundle:
    """Make a bundle of *files*, path -> bytes.

    Raises:
        BrokenBundle: one is not text, too large or named strangely, there is no policy, or the data are none.
    """
    for path, content in files.items():
        if fault(path, "x").file == "bundle" or len(content) > MAX_FILE_BYTES or len(files) > MAX_FILES:
            raise BrokenBundle("a file has a name or a size that policies do not have", fault(path, "file_refused"))
    try:
        modules = {path: files[path].decode("utf-8") for path in sorted(files) if path.endswith(".rego")}
    except UnicodeDecodeError as error:
        raise BrokenBundle("a policy is not UTF-8", fault("bundle", "not_utf8")) from error
    if not any(not is_test(path) for path in modules):
        raise BrokenBundle("no policies in the policy folder or bundle", fault("bundle", "no_policies"))
    manifest = _object(files[MANIFEST], MANIFEST) if MANIFEST in files else {}
    roots = manifest.get("roots", [""])
    if not isinstance(roots, list) or not all(isinstance(root, str) for root in roots):
        raise BrokenBundle("the manifest's roots are none", fault("manifest", "manifest_roots"))
    data: dict[str, Any] = {}
    for path in sorted(path for path in files if PurePosixPath(path).name == DATA):
        _put(data, PurePosixPath(path).parts[:-1], _object(files[path], path), path)
    revision = manifest.get("revision")
    for word in (data.get("version") or revision, revision or "0"):
        try:
            _WORD.validate_python(word)
        except ValidationError as error:
            place = fault(DATA, "no_version")
            raise BrokenBundle("data.json is missing, not JSON or without a version", place) from error
    return Bundle(modules, data, revision, tuple(root.strip("/") for root in roots), sha256)


def own_roots(bundle: Bundle) -> tuple[str, ...]:
    """The roots a manifest must name so that OPA takes *bundle*, and another bundle beside it."""
    return tuple(sorted({PACKAGES, *bundle.data}))


def within(path: Iterable[str], roots: Iterable[str]) -> bool:
    """Whether the data path *path* lies below one of *roots*; the root "" is everything."""
    parts = tuple(path)
    return any(parts[: len(names)] == names for names in (tuple(filter(None, root.split("/"))) for root in roots))


def _object(content: bytes, path: str) -> dict[str, Any]:
    try:
        # NaN and Infinity are Python's, not JSON's.
        found = json.loads(content, parse_constant=_no_number)
    except ValueError as error:
        raise BrokenBundle(f"{path} is not JSON", fault(path, "not_json")) from error
    if not isinstance(found, dict):
        raise BrokenBundle(f"{path} is no JSON object", fault(path, "not_json"))
    return found


def _no_number(name: str) -> float:
    raise ValueError(name)


def _put(data: dict[str, Any], place: tuple[str, ...], content: dict[str, Any], path: str) -> None:
    """As in OPA, ``tenants/acme/data.json`` is ``data.tenants.acme``; what two files say of one key is refused."""
    for name in place:
        data = data.setdefault(name, {})
        if not isinstance(data, dict):
            raise BrokenBundle(f"{path} says again what another file says", fault(path, "data_conflict"))
    if set(data) & set(content):
        raise BrokenBundle(f"{path} says again what another file says", fault(path, "data_conflict"))
    data.update(content)
