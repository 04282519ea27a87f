"""Read frameworks/*.yaml and find the controls a canonical label touches."""

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from llama_mapper.contracts.analysis import CanonicalFinding, ControlMatch, FrameworkResult, NoControl, Rationale
from llama_mapper.contracts.identifiers import AnyCanonicalLabel, AnyFrameworkId, CanonicalLabel
from llama_mapper.contracts.problems import FieldError, InvalidRequest
from llama_mapper.contracts.wire import Prose, Token, Wire

_FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class FrameworkError(ValueError):
    """A framework file breaks the format; the message names file and place."""


class Control(Wire):
    id: str = Field(max_length=40)
    title: Prose
    summary: Prose
    reference: Prose


class Touch(Wire):
    """That a label touches a control, and why."""

    id: str = Field(max_length=40)
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


class Framework(Wire):
    """One framework in one edition, mapped."""

    framework: AnyFrameworkId
    name: Prose
    edition: Prose
    effective: date
    reference: Prose
    version: Token
    controls: tuple[Control, ...]
    mappings: tuple[Entry, ...]

    def entry(self, label: str) -> Entry | None:
        """The entry of *label* or of its nearest ancestor that has one."""
        by_label = {entry.label: entry for entry in self.mappings}
        parts = label.split(".")
        for depth in range(len(parts), 0, -1):
            if found := by_label.get(CanonicalLabel(".".join(parts[:depth]))):
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
        FrameworkError: not YAML, a field missing, a control mapped that is not declared, or a label twice.
    """
    try:
        framework = Framework.model_validate(yaml.load(path.read_text("utf-8"), Loader=_FAST))  # noqa: S506 - safe
    except (yaml.YAMLError, ValidationError) as error:
        raise FrameworkError(f"{path.name}: {error}") from error
    declared = {control.id for control in framework.controls}
    used = {touch.id for entry in framework.mappings for touch in entry.controls}
    labels = [entry.label for entry in framework.mappings]
    twice = {label for label in labels if labels.count(label) > 1}
    if used != declared or twice:
        raise FrameworkError(
            f"{path.name}: used and declared controls differ: {sorted(used ^ declared)}; twice: {twice}"
        )
    return framework


class Frameworks:
    """All frameworks of a folder; *version* changes when any of them does."""

    def __init__(self, frameworks: Iterable[Framework]) -> None:
        self.all = tuple(sorted(frameworks, key=lambda f: f.framework))
        self.version = max(f.version for f in self.all)

    @classmethod
    def load(cls, folder: Path) -> "Frameworks":
        return cls(read(path) for path in sorted(folder.glob("*.yaml")))

    def named(self, names: Sequence[str] | None) -> tuple[Framework, ...]:
        """The frameworks called *names*, or all.

        Raises:
            InvalidRequest: a name is not known; its place is told.
        """
        if names is None:
            return self.all
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
