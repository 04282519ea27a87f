"""The tables of `llama-mapper frameworks`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from functions.analyze.compliance.changes import Change
    from functions.analyze.compliance.crosswalks import Crosswalks
    from functions.analyze.frameworks import Framework, Frameworks
    from llama_mapper.contracts.compliance import ClosingDetector, ClosingStep, FrameworkGaps, GapsResponse
    from llama_mapper.taxonomy import Taxonomy


def table_of(*headings: str, title: str | None = None) -> Table:
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def touching(framework: "Framework", taxonomy: "Taxonomy") -> dict[str, list[str]]:
    """Control -> the labels that touch it."""
    found: dict[str, list[str]] = {control.id: [] for control in framework.controls}
    for label in taxonomy.labels:
        entry = framework.entry(label.name)
        for touch in entry.controls if entry else ():
            found[touch.id].append(label.name)
    return found


def list_table(frameworks: "Frameworks", taxonomy: "Taxonomy") -> Table:
    total = len(taxonomy.labels)
    table = table_of("framework", "edition", "published", "effective", "version", "controls", "labels", "none", "most")
    for framework in frameworks.all:
        found = touching(framework, taxonomy)
        fitting = len({label for labels in found.values() for label in labels})
        control, most = Counter({control: len(labels) for control, labels in found.items()}).most_common(1)[0]
        table.add_row(
            framework.framework,
            framework.edition,
            framework.published,
            framework.effective.isoformat(),
            framework.version,
            str(len(framework.controls)),
            str(fitting),
            str(total - fitting),
            f"{control}, {most / total:.0%}",
        )
    return table


def framework_tables(framework: "Framework", taxonomy: "Taxonomy") -> Iterator[Table]:
    title = f"{framework.name}, {framework.edition}; {framework.reference}"
    if framework.stages:
        stages = table_of("applies from", "what", title=title)
        for stage in framework.stages:
            stages.add_row(stage.since.isoformat(), stage.scope)
        yield stages
        title = ""
    controls = table_of("control", "title", "labels", title=title or None)
    found = touching(framework, taxonomy)
    for control in framework.controls:
        controls.add_row(control.id, control.title, str(len(found[control.id])))
    yield controls


def control_table(framework: "Framework", name: str, taxonomy: "Taxonomy", crosswalks: "Crosswalks") -> Table:
    control = next(one for one in framework.controls if one.id == name)
    table = table_of("", "", title=f"{framework.framework} {name}: {control.title}")
    table.show_header = False
    table.add_row("asks", control.summary)
    table.add_row("reference", control.reference)
    for label in touching(framework, taxonomy)[name]:
        entry = framework.entry(label)
        because = [touch.rationale for touch in entry.controls if touch.id == name] if entry else []
        table.add_row(label, because[0])
    for (other, theirs), relation, rationale in crosswalks.of(framework.framework, name):
        table.add_row(f"{relation} {other} {theirs}", rationale)
    return table


def changes_table(changes: Sequence["Change"]) -> Table:
    table = table_of("kind", "subject", "change")
    for change in changes:
        table.add_row(change.kind, change.subject, change.what)
    return table


def gap_tables(answer: "GapsResponse") -> Iterator[Table]:
    """What ran, how the controls stand, the controls nobody judged, and the labels nobody judged."""
    ran = table_of("detector", "version", "labels it can report")
    for detector in answer.detectors:
        reported = str(detector.labels) if detector.known else "not known"
        ran.add_row(detector.detector, detector.version or "any", reported)
    yield ran
    standings = table_of("framework", "controls", "evidence", "watched", "broader only", "not judged", "closed by")
    for framework in answer.frameworks:
        counts = framework.standings
        steps = ", ".join(f"{_named(step)} (+{step.controls})" for step in framework.close_with)
        numbers = (counts.evidence, counts.watched, counts.broader_only, counts.not_judged)
        standings.add_row(framework.framework, str(len(framework.controls)), *map(str, numbers), steps)
    yield standings
    for framework in answer.frameworks:
        if framework.standings.not_judged or framework.standings.broader_only:
            yield _open_controls(framework)
    labels = answer.labels
    title = f"labels judged {labels.itself + labels.narrower}, in a broader word {labels.broader}, not {labels.none}"
    missing = table_of("label not judged", "reach", "detectors that report it", title=title)
    for label in answer.not_judged:
        missing.add_row(label.label, label.reach, str(label.reported_by))
    yield missing


def _named(detector: "ClosingDetector | ClosingStep") -> str:
    """With its versions where only some of them help."""
    versions = "|".join(detector.versions)
    return detector.detector if versions == "*" else f"{detector.detector}@{versions}"


def _open_controls(framework: "FrameworkGaps") -> Table:
    table = table_of("control", "title", "standing", "closed by", title=f"{framework.framework}: controls not judged")
    for control in framework.controls:
        if control.standing in ("broader_only", "not_judged"):
            closing = ", ".join(_named(each) for each in control.closed_by) or "no known detector"
            table.add_row(control.control, control.title, control.standing.replace("_", " "), closing)
    return table
