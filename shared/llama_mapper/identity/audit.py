"""The audit log of administrative acts: each entry names the hash of the one before, so that none can be changed, left
out or put in between without every later hash telling so (Schneier and Kelsey, "Secure Audit Logs", 1999, section 3).

What is cut off at the end can be told only by somebody who knows the last hash: evidence reports carry it, signed.
"""

import hashlib
import json
from collections.abc import Iterable

from llama_mapper.contracts.audit import AuditEntry, AuditRecord

GENESIS = "0" * 64


def linked(entry: AuditEntry, number: int, previous: str) -> AuditRecord:
    """Return *entry* as the *number*-th (from 1) of its tenant's log, after the one whose hash is *previous*."""
    return AuditRecord(entry=entry, number=number, previous=previous, hash=digest(entry, number, previous))


def digest(entry: AuditEntry, number: int, previous: str) -> str:
    """SHA-256 of the entry, its number and the hash before, in JSON with sorted keys and no white space."""
    document = {"entry": entry.model_dump(mode="json", exclude_none=True), "number": number, "previous": previous}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def first_fault(records: Iterable[AuditRecord], previous: str = GENESIS, number: int = 1) -> str | None:
    """Say what is wrong with a tenant's log, the first thing; None where nothing is.

    Args:
        previous, number: where *records* begin: the hash before the first one, and its number.
    """
    for record in records:
        if record.number != number:
            return f"entry {number} is missing or out of place"
        if record.previous != previous:
            return f"entry {number} does not follow the one before it"
        if record.hash != digest(record.entry, record.number, record.previous):
            return f"entry {number} was changed"
        previous, number = record.hash, number + 1
    return None
