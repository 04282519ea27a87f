from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from llama_mapper.contracts import identifiers as ids

CASES: list[tuple[Any, str, str, str]] = [
    (ids.AnyTenantId, "demo", "a" * 63, "a"),
    (ids.AnyRequestId, "01JABCDEF", "x" * 64, "req-0001"),
    (ids.AnyCorrelationId, "01JABCDEF", "x" * 64, "trace_0001"),
    (ids.AnyEventId, "1", "a/b:c.d-e", "x" * 128),
    (ids.AnyJobId, "01JABCDEF", "x" * 64, "job-0001"),
    (ids.AnyEvaluationId, "01JABCDEF", "x" * 64, "eval-0001"),
    (ids.AnyDetectorId, "presidio", "llama-guard-3.1_b", "x"),
    (ids.AnyCanonicalLabel, "PII.Contact.Email", "SAFETY_NEGATIVE.NONE", "A.B.C.D"),
    (ids.AnyFrameworkId, "soc2", "iso27001-2022", "x"),
    (ids.AnyContentHmac, "0" * 64, "a" * 64, "0123456789abcdef" * 4),
]
NEAR_MISSES: list[tuple[Any, str]] = [
    (ids.AnyTenantId, "Demo"),
    (ids.AnyTenantId, "demo-"),
    (ids.AnyTenantId, "a" * 64),
    (ids.AnyTenantId, "demo\n"),
    (ids.AnyRequestId, "short"),
    (ids.AnyCorrelationId, "x" * 65),
    (ids.AnyCorrelationId, "with blank in it"),
    (ids.AnyEventId, ""),
    (ids.AnyEventId, "ada@example.org"),
    (ids.AnyJobId, "job-001"),
    (ids.AnyJobId, "../job-0001"),
    (ids.AnyEvaluationId, "ada@example.org"),
    (ids.AnyDetectorId, "Presidio"),
    (ids.AnyDetectorId, "-x"),
    (ids.AnyCanonicalLabel, "pii.contact"),
    (ids.AnyCanonicalLabel, "A.B.C.D.E"),
    (ids.AnyCanonicalLabel, "PII.Contact."),
    (ids.AnyCanonicalLabel, "PII.contact"),
    (ids.AnyFrameworkId, "SOC2"),
    (ids.AnyContentHmac, "A" * 64),
    (ids.AnyContentHmac, "0" * 63),
]


@pytest.mark.parametrize(("kind", "text"), [(case[0], text) for case in CASES for text in case[1:]])
def test_a_well_formed_id_passes(kind: Any, text: str) -> None:
    assert TypeAdapter(kind).validate_python(text) == text


@pytest.mark.parametrize(("kind", "text"), NEAR_MISSES)
def test_a_near_miss_is_refused(kind: Any, text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(text)
