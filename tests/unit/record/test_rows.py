from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from functions.record.canary_rows import CanaryStepRow
from functions.record.dead_letters import DeadLetterRow
from functions.record.mapping_rows import BudgetAlertRow, MappingRow
from functions.record.rows import AnalysisRow, ControlRow, FindingRow, RequestRow, Row, stamp
from tests.unit.record import samples

TABLES: tuple[type[Row], ...] = (
    RequestRow,
    FindingRow,
    MappingRow,
    AnalysisRow,
    ControlRow,
    BudgetAlertRow,
    CanaryStepRow,
    DeadLetterRow,
)
COLUMNS = [(model, name) for model in TABLES for name in model.model_fields]
DOCUMENT = "Please call Mr. Jones about the biopsy; his card is 4111 1111 1111 1111, mail him at jones@example.org."


def adapter(model: type[Row], column: str) -> TypeAdapter[Any]:
    field = model.model_fields[column]
    return TypeAdapter(field.rebuild_annotation())


@pytest.mark.parametrize(("model", "column"), COLUMNS)
@pytest.mark.parametrize("value", [DOCUMENT, (DOCUMENT,), {DOCUMENT: 1.0}])
def test_no_column_takes_content(model: type[Row], column: str, value: object) -> None:
    with pytest.raises(ValidationError):
        adapter(model, column).validate_python(value)


@pytest.mark.parametrize("name", ["orchestrate", "producer"])
def test_every_finding_has_one_row_for_each_source(name: str) -> None:
    context, event = samples.findings(name)
    shared = stamp(context, event.request_id, samples.CORRELATION, samples.NOW)
    rows = list(FindingRow.all_of(event, shared))
    assert [row.position for row in rows] == list(range(sum(len(f.sources) for f in event.findings)))


def test_finding_row_says_who_said_what_and_how_it_was_mapped() -> None:
    context, event = samples.findings("producer")
    shared = stamp(context, event.request_id, samples.CORRELATION, samples.NOW)
    row = next(FindingRow.all_of(event, shared))
    assert (row.label, row.pillar, row.detector, row.vendor_label, row.vocabulary) == (
        "HARM.Speech.Defamation",
        "HARM",
        "llama-guard",
        "S5",
        "llama-guard",
    )


@pytest.mark.parametrize(("grade", "kept"), [(4.0, "4"), (-0.5, "-0.5"), ("HIGH", "HIGH"), (None, None)])
def test_vendors_own_severity_is_kept_as_text(grade: float | str | None, kept: str | None) -> None:
    context, event = samples.findings("producer")
    document = event.model_dump()
    document["mappings"][0]["provenance"]["vendor_severity"] = grade
    event = type(event).model_validate(document)
    shared = stamp(context, event.request_id, samples.CORRELATION, samples.NOW)
    assert next(FindingRow.all_of(event, shared)).vendor_severity == kept


def test_request_row_says_which_detectors_did_not_answer() -> None:
    context, event = samples.findings("orchestrate")
    row = RequestRow.of(event, stamp(context, event.request_id, samples.CORRELATION, samples.NOW))
    assert dict(zip(row.detectors, row.detector_statuses, strict=True)) == {"presidio": "ok", "toxicity": "timeout"}


def test_third_party_report_has_no_decision() -> None:
    context, event = samples.findings("producer")
    row = RequestRow.of(event, stamp(context, event.request_id, samples.CORRELATION, samples.NOW))
    assert (row.decision, row.policy_version, row.coverage) == (None, None, None)


def test_analysis_is_split_into_one_row_and_one_for_each_control() -> None:
    context, event = samples.analysis()
    shared = stamp(context, event.request_id, samples.CORRELATION, samples.NOW)
    rows = list(ControlRow.all_of(event, shared))
    assert AnalysisRow.of(event, shared).controls == len(rows) == len(event.controls)


@pytest.mark.parametrize(
    ("age", "believed"),
    [
        (timedelta(days=1), True),
        (timedelta(days=365), True),
        (timedelta(days=367), False),
        (timedelta(seconds=-1), False),
        (None, False),
    ],
)
def test_time_of_an_event_is_believed_within_a_year(age: timedelta | None, believed: bool) -> None:
    context, event = samples.findings()
    time = None if age is None else samples.NOW - age
    shared = stamp(context.model_copy(update={"time": time}), event.request_id, samples.CORRELATION, samples.NOW)
    assert shared["occurred_at"] == (time if believed else samples.NOW)


def test_event_without_correlation_takes_the_requests() -> None:
    context, event = samples.findings()
    bare = context.model_copy(update={"correlationid": None})
    assert stamp(bare, event.request_id, samples.CORRELATION, samples.NOW)["correlation_id"] == samples.CORRELATION
