from functions.record.mapping_rows import BudgetAlertRow, MappingRow
from functions.record.rows import stamp
from tests.unit.record import samples


def rows(name: str, **changed: object) -> list[MappingRow]:
    context, event = samples.findings(name, **changed)
    return list(MappingRow.all_of(event, stamp(context, event.request_id, samples.CORRELATION, samples.NOW)))


def test_a_mapping_is_kept_with_what_the_model_took_for_it() -> None:
    (row,) = rows("orchestrate")
    assert (row.vendor_label, row.label, row.method, row.adapter) == (
        "EMAIL_ADDRESS",
        "PII.Contact.Email",
        "model",
        "smollm2-hard.1",
    )
    assert (row.prompt_tokens, row.completion_tokens, row.latency_ms, row.prices) == (96, 2, 131.5, "2026.11")


def test_a_rule_took_nothing() -> None:
    (row,) = rows("producer")
    assert row.method == "rule"
    took = (row.prompt_tokens, row.completion_tokens, row.compute_seconds, row.latency_ms, row.cost_microdollars)
    assert took == (None,) * 5


def test_of_several_labels_the_surest_stands_in_front_and_all_are_kept() -> None:
    mapping = samples.event("findings.mapped.v1.producer")["data"]["mappings"][0]
    other = {"label": "HARM.Hate", "relation": "related", "confidence": 0.9, "severity": 3}
    (row,) = rows("producer", mappings=[mapping | {"labels": [*mapping["labels"], other]}])
    assert (row.label, row.confidence, row.relation) == ("HARM.Hate", 0.9, "related")
    assert row.labels == ("HARM.Speech.Defamation", "HARM.Hate")


def test_an_alert_is_known_by_its_event() -> None:
    context, event = samples.budget()
    row = BudgetAlertRow.of(context, event, samples.NOW)
    assert (row.tenant_id, row.event_id, row.threshold_percent) == ("demo", "budget:demo:2026-11:80", 80)
