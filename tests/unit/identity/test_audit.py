from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from llama_mapper.contracts.audit import AuditEntry, AuditRecord
from llama_mapper.contracts.identifiers import CorrelationId, TenantId
from llama_mapper.identity.audit import GENESIS, first_fault, linked

START = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


def log(length: int) -> list[AuditRecord]:
    records: list[AuditRecord] = []
    for number in range(1, length + 1):
        entry = AuditEntry(
            at=START + timedelta(seconds=number),
            tenant_id=TenantId("demo"),
            subject="key:" + "a" * 12,
            act="key.created",
            target=f"key{number}",
            correlation_id=CorrelationId(f"order-{number:04}"),
        )
        records.append(linked(entry, number, records[-1].hash if records else GENESIS))
    return records


def with_entry(records: list[AuditRecord], index: int, **changes: object) -> list[AuditRecord]:
    changed = records[index].model_copy(update={"entry": records[index].entry.model_copy(update=changes)})
    return [*records[:index], changed, *records[index + 1 :]]


@pytest.mark.parametrize("length", [0, 1, 5])
def test_a_log_as_it_was_written_has_no_fault(length: int) -> None:
    assert first_fault(log(length)) is None


def test_a_part_is_verified_from_the_hash_before_it() -> None:
    records = log(5)
    assert first_fault(records[2:], previous=records[1].hash, number=3) is None
    assert first_fault(records[2:], previous=records[0].hash, number=3) == "entry 3 does not follow the one before it"


TAMPERED: dict[str, tuple[Callable[[list[AuditRecord]], list[AuditRecord]], str]] = {
    "another subject": (lambda r: with_entry(r, 1, subject="open"), "entry 2 was changed"),
    "another time": (lambda r: with_entry(r, 4, at=START), "entry 5 was changed"),
    "refused made done": (lambda r: with_entry(r, 0, outcome="refused"), "entry 1 was changed"),
    "another tenant": (lambda r: with_entry(r, 2, tenant_id="other"), "entry 3 was changed"),
    "one left out": (lambda r: [*r[:2], *r[3:]], "entry 3 is missing or out of place"),
    "the first left out": (lambda r: r[1:], "entry 1 is missing or out of place"),
    "two swapped": (lambda r: [r[0], r[2], r[1], *r[3:]], "entry 2 is missing or out of place"),
    "one twice": (lambda r: [*r[:2], r[1], *r[2:]], "entry 3 is missing or out of place"),
    "one changed and its hash with it": (
        lambda r: [r[0], linked(r[1].entry.model_copy(update={"target": "another"}), 2, r[0].hash), *r[2:]],
        "entry 3 does not follow the one before it",
    ),
    "one put in between": (
        lambda r: [*r[:2], linked(r[0].entry, 3, r[1].hash), *r[2:]],
        "entry 4 is missing or out of place",
    ),
    "renumbered after one was left out": (
        lambda r: [*r[:2], *(one.model_copy(update={"number": one.number - 1}) for one in r[3:])],
        "entry 3 does not follow the one before it",
    ),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_what_was_tampered_with_is_told(how: str) -> None:
    tamper, fault = TAMPERED[how]
    assert first_fault(tamper(log(5))) == fault
