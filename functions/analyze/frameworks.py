"""Read frameworks/*.yaml and find the controls a canonical label touches."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints, model_validator

from llama_mapper.contracts.analysis import CanonicalFinding, ControlMatch, FrameworkResult, NoControl, Rationale
from llama_mapper.contracts.identifiers import AnyCanonicalLabel, AnyFrameworkId, CanonicalLabel
from llama_mapper.contracts.problems import FieldError, InvalidRequest
from llama_mapper.contracts.wire import Prose, Token, Wire

from .files import parsed


class FrameworkError(ValueError):
    """A framework file breaks the format; the message names file and place."""


ControlId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 .()/:§-]{0,39}$")]
"""As narrow as in AnalysisCompleted, so that no file makes an event that cannot be sent."""


Published = Annotated[str, StringConstraints(pattern=r"^(19|20)\d\d-(0[1-9]|1[0-2])(-[0-3]\d)?$")]
"""A day, or a month where the publisher names no day."""


class Control(Wire):
    id: ControlId
    title: Prose
    summary: Prose
    reference: Prose


class Touch(Wire):
    """That a label touches a control, and why."""

    id: ControlId
    rationale: Prose


class Entry(Wire):
    """What one label (and all below it without an entry of their own) means in this framework."""

    label: AnyCanonicalLabel
    controls: tuple[Touch, ...] = ()
    none: Prose | None = None

    @model_validator(mode="after")
    def _one_of(self) -> "Entry":
        if bool(self.controls) == bool(self.none):
            raise ValueError("an entry has either controls or none, with the reason")
        return self


class Stage(Wire):
    """What of a framework applies from a day on, where not all of it came at once."""

    since: date
    scope: Prose


class Framework(Wire):
    """One framework in one edition, mapped."""

    framework: AnyFrameworkId
    name: Prose
    edition: Prose
    published: Published
    effective: date
    stages: tuple[Stage, ...] = ()
    reference: Prose
    version: Token
    controls: tuple[Control, ...]
    mappings: tuple[Entry, ...]

    @cached_property
    def _by_label(self) -> Mapping[str, Entry]:
        return {entry.label: entry for entry in self.mappings}

    def entry(self, label: str) -> Entry | None:
        """The entry of *label* or of its nearest ancestor that has one."""
        parts = label.split(".")
        for depth in range(len(parts), 0, -1):
            if found := self._by_label.get(".".join(parts[:depth])):
                return found
        return None

    def result(self, labels: Sequence[CanonicalLabel]) -> FrameworkResult:
        """Every control the *labels* touch, and every label that touches none, said with the reason."""
        because: dict[str, list[Rationale]] = {}
        nothing: list[NoControl] = []
        for label in labels:
            entry = self.entry(label)
            for touch in entry.controls if entry else ():
                because.setdefault(touch.id, []).append(Rationale(label=label, rationale=touch.rationale))
            if entry is None or entry.none:
                reason = entry.none if entry and entry.none else "This edition of the mapping does not know the label."
                nothing.append(NoControl(label=label, reason=reason))
        titles = {control.id: control.title for control in self.controls}
        return FrameworkResult(
            framework=self.framework,
            name=self.name,
            edition=self.edition,
            version=self.version,
            controls=tuple(
                ControlMatch(control=control, title=titles[control], because=tuple(reasons))
                for control, reasons in because.items()
            ),
            no_fitting_control=tuple(nothing),
        )


def read(path: Path) -> Framework:
    """Read one file.

    Raises:
        FrameworkError: unreadable, not YAML, a field missing or wrong, another file's name, a control mapped that is
            not declared or declared that is not mapped, a control or a label twice.
    """
    framework = parsed(path, Framework, FrameworkError)
    if faults := list(_faults(framework, path)):
        raise FrameworkError("\n".join(f"{path.name}: {fault}" for fault in faults))
    return framework


def _faults(framework: Framework, path: Path) -> Iterator[str]:
    if framework.framework != path.stem.partition("@")[0]:  # an earlier version is kept as soc2@2026.11.yaml
        yield f"calls itself {framework.framework}"
    if list(framework.stages) != sorted(framework.stages, key=lambda stage: stage.since):
        yield "its stages are not in order of time"
    declared = [control.id for control in framework.controls]
    used = {touch.id for entry in framework.mappings for touch in entry.controls}
    yield from (f"{control} is used, not declared" for control in sorted(used - set(declared)))
    yield from (f"{control} is declared, not used" for control in sorted(set(declared) - used))
    yield from (f"{control} is declared twice" for control, times in Counter(declared).items() if times > 1)
    labels = Counter(entry.label for entry in framework.mappings)
    yield from (f"{label} has two entries" for label, times in labels.items() if times > 1)
    for entry in framework.mappings:
        touched = Counter(touch.id for touch in entry.controls)
        yield from (f"{entry.label} touches {control} twice" for control, times in touched.items() if times > 1)


class Frameworks:
    """All frameworks of a folder; *version* is the newest of theirs and a digest that changes when any of them does.

    *default* names those that answer where a request names none; all of them unless given.
    """

    def __init__(self, frameworks: Iterable[Framework], default: Sequence[str] | None = None) -> None:
        self.all = tuple(sorted(frameworks, key=lambda f: f.framework))
        digest = hashlib.sha256("\n".join(f.model_dump_json() for f in self.all).encode())
        self.version = f"{max(f.version for f in self.all)}+{digest.hexdigest()[:8]}"
        known = [f.framework for f in self.all]
        if unknown := [name for name in default or () if name not in known]:
            raise FrameworkError(f"no framework {unknown[0]} here; there are {', '.join(known)}")
        self.default = self.all if default is None else tuple(f for f in self.all if f.framework in default)

    @classmethod
    def load(cls, folder: Path, default: Sequence[str] | None = None) -> "Frameworks":
        """Read every ``*.yaml`` of *folder*.

        Raises:
            FrameworkError: the first file that breaks the format, a folder without any, or a default that is not there.
        """
        paths = sorted(folder.glob("*.yaml"))
        if not paths:
            raise FrameworkError(f"{folder}: no frameworks here")
        return cls((read(path) for path in paths), default)

    def named(self, names: Sequence[str] | None) -> tuple[Framework, ...]:
        """The frameworks called *names*, or the default ones.

        Raises:
            InvalidRequest: a name is not known; its place is told.
        """
        if names is None:
            return self.default
        known: dict[str, Framework] = {f.framework: f for f in self.all}
        unknown = [i for i, name in enumerate(names) if name not in known]
        if unknown:
            message = f"known frameworks: {', '.join(known)}"
            errors = tuple(FieldError(field=f"frameworks.{i}", message=message[:160]) for i in unknown)
            raise InvalidRequest("check: frameworks", errors=errors)
        return tuple(dict.fromkeys(known[name] for name in names))

    def results(self, findings: Sequence[CanonicalFinding], names: Sequence[str] | None) -> tuple[FrameworkResult, ...]:
        labels = tuple(dict.fromkeys(f.label for f in findings))
        return tuple(framework.result(labels) for framework in self.named(names))
