"""Policies that installed packages add: rules of the decision, which can only make it stricter.

A package names a folder of Rego under the entry point group ``llama_mapper.policies``. Its packages are
``llama_mapper.plugin.<name>`` and nothing else, so that it adds to the decision what ``rules`` holds there, and cannot
say a word in any of our own packages.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import regorus

from llama_mapper.chassis.settings import SettingsError

from .bundle_lint import faults
from .bundles import BrokenBundle, Bundle, is_test, of_files
from .rego import POLICIES

GROUP = "llama_mapper.policies"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


def installed() -> dict[str, Path]:
    """The folders that installed packages name.

    Raises:
        SettingsError: a name is none that a Rego package may have, is one of ours or stands there twice, or what it
            names is no folder.
    """
    return folders(entry_points(group=GROUP))


def folders(points: Iterable[EntryPoint]) -> dict[str, Path]:
    """As ``installed``, of *points*."""
    found: dict[str, Path] = {}
    for point in points:
        if not _NAME.fullmatch(point.name) or point.name in POLICIES or point.name in found:
            raise SettingsError(f"the entry point {point.name} in {GROUP} cannot have this name, or stands there twice")
        folder = Path(point.load())
        if not folder.is_dir():
            raise SettingsError(f"the entry point {point.name} in {GROUP} names no folder")
        found[point.name] = folder
    return found


def extended(bundle: Bundle, plugins: Mapping[str, Path]) -> Bundle:
    """Return *bundle* with the *plugins'* modules, in its version too; the whole is checked as one that is loaded.

    Raises:
        BrokenBundle: a file of a plug-in is in a package that is not its own, or breaks a rule of ``bundle_lint``.
    """
    if not plugins:
        return bundle
    modules = dict(bundle.modules)
    for name, folder in plugins.items():
        sources = {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.rego"))}
        for path, source in of_files({**sources, "data.json": b'{"version": "0"}'}).modules.items():
            _own(name, path, source)
            modules[f"plugin/{name}/{path}"] = source
    whole = replace(bundle, modules=modules)
    # That a package is where its file is holds for ours; a plug-in's was looked at above.
    if wrong := [one for one in faults(whole, POLICIES) if (one.file[:7], one.code) != ("plugin/", "package_not_file")]:
        raise BrokenBundle(f"{wrong[0].file}:{wrong[0].line}: {wrong[0].code}", *wrong)
    return whole


def _own(name: str, path: str, source: str) -> None:
    engine = regorus.Engine()
    package = f"data.llama_mapper.plugin.{name}{'_test' if is_test(path) else ''}"
    try:
        engine.add_policy(path, source)
    except RuntimeError as error:
        raise BrokenBundle(f"plugin/{name}/{path} does not compile") from error
    if engine.get_packages() != [package]:
        raise BrokenBundle(f"plugin/{name}/{path} is not in the package {package.removeprefix('data.')}")
