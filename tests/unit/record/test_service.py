import pytest

from functions.record.service import record_analysis, record_budget_alert, record_canary_step, record_findings
from llama_mapper.contracts.problems import Unavailable
from tests.fakes.rows import Rows
from tests.unit.record import samples


async def keep_findings(rows: Rows, name: str = "orchestrate") -> bool:
    context, event = samples.findings(name)
    return await record_findings(context, event, rows, samples.CORRELATION, samples.NOW)


async def test_findings_are_kept_with_their_request() -> None:
    rows = Rows()
    assert await keep_findings(rows)
    assert [len(rows.of(table)) for table in ("requests", "findings", "mappings")] == [1, 1, 1]


async def test_budget_alert_is_kept_once_however_often_it_comes() -> None:
    rows = Rows()
    for name in ("warning", "warning", "rules-only"):
        await record_budget_alert(*samples.budget(name), rows, samples.NOW)
    assert [row.threshold_percent for row in rows.of("budget_alerts")] == [80, 120]


async def test_a_step_of_a_canary_is_kept_once_however_often_it_comes() -> None:
    rows = Rows()
    for name in ("promoted", "rolled-back", "rolled-back"):
        await record_canary_step(*samples.canary(name), rows, samples.NOW)
    assert [(row.to_percent, row.tenant_id) for row in rows.of("canary_steps")] == [(100, "platform"), (0, "platform")]


async def test_event_delivered_twice_is_kept_once() -> None:
    rows = Rows()
    await keep_findings(rows)
    before = dict(rows.kept)
    assert not await keep_findings(rows)
    assert rows.kept == before


async def test_second_delivery_with_other_data_changes_nothing() -> None:
    rows = Rows()
    await keep_findings(rows)
    before = dict(rows.kept)
    context, event = samples.findings(findings=[])
    await record_findings(context, event, rows, samples.CORRELATION, samples.NOW)
    assert rows.kept == before


@pytest.mark.parametrize("changed", ["id", "source", "tenantid"])
async def test_another_event_about_the_same_request_is_kept_too(changed: str) -> None:
    rows = Rows()
    await keep_findings(rows)
    context, event = samples.findings()
    other = context.model_copy(update={changed: "other"})
    assert await record_findings(other, event, rows, samples.CORRELATION, samples.NOW)
    assert len(rows.of("requests")) == 2


async def test_request_row_is_written_last() -> None:
    rows = Rows()
    await keep_findings(rows)
    assert rows.appended == ["findings", "mappings", "requests"]


async def test_delivery_that_broke_off_is_completed_by_the_next() -> None:
    rows = Rows()
    rows.refused = {"requests"}
    with pytest.raises(Unavailable):
        await keep_findings(rows)
    rows.refused = set()
    assert await keep_findings(rows)
    assert (len(rows.of("requests")), len(rows.of("findings"))) == (1, 1)


async def test_store_that_is_down_makes_the_event_come_again() -> None:
    rows = Rows()
    rows.down = True
    with pytest.raises(Unavailable) as raised:
        await keep_findings(rows)
    assert raised.value.retry_after_seconds == 1


@pytest.mark.parametrize(("name", "controls"), [("controls", True), ("nothing-found", False)])
async def test_analysis_is_kept_with_its_controls(name: str, controls: bool) -> None:
    rows = Rows()
    context, event = samples.analysis(name)
    assert await record_analysis(context, event, rows, samples.CORRELATION, samples.NOW)
    assert len(rows.of("analyses")) == 1
    assert bool(rows.of("controls")) == controls


async def test_analysis_delivered_twice_is_kept_once() -> None:
    rows = Rows()
    context, event = samples.analysis()
    await record_analysis(context, event, rows, samples.CORRELATION, samples.NOW)
    assert not await record_analysis(context, event, rows, samples.CORRELATION, samples.NOW)
    assert rows.appended.count("analyses") == 1
