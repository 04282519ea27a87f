"""The filter dialects, each with its near misses."""

from typing import Any

import pytest
from pydantic import ValidationError

from llama_mapper.local.filters import Filter, all_match

EVENT = {
    "specversion": "1.0",
    "id": "7",
    "source": "/vendor/scanner",
    "type": "io.llama-mapper.findings.mapped.v1",
    "tenantid": "demo",
    "urgent": "true",
}
MAPPED = "io.llama-mapper.findings.mapped.v1"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"exact": {"type": MAPPED}}, True),
        ({"exact": {"type": MAPPED, "tenantid": "demo"}}, True),
        ({"exact": {"type": MAPPED, "tenantid": "other"}}, False),
        ({"exact": {"type": "io.llama-mapper.findings.mapped.v10"}}, False),
        ({"exact": {"type": "io.llama-mapper.findings.mapped"}}, False),
        ({"exact": {"type": "IO.llama-mapper.findings.mapped.v1"}}, False),
        ({"exact": {"subject": "7"}}, False),
        ({"exact": {"urgent": "true"}}, True),
        ({"prefix": {"type": "io.llama-mapper.findings."}}, True),
        ({"prefix": {"type": "io.llama-mapper.finding.r"}}, False),
        ({"prefix": {"type": "llama-mapper"}}, False),
        ({"prefix": {"type": "io.", "source": "/vendor"}}, True),
        ({"prefix": {"type": "io.", "source": "vendor"}}, False),
        ({"prefix": {"subject": "a"}}, False),
        ({"suffix": {"type": ".v1"}}, True),
        ({"suffix": {"type": ".v2"}}, False),
        ({"suffix": {"type": "mapped"}}, False),
        ({"suffix": {"subject": "a"}}, False),
        ({"all": [{"suffix": {"type": ".v1"}}, {"exact": {"tenantid": "demo"}}]}, True),
        ({"all": [{"suffix": {"type": ".v1"}}, {"exact": {"tenantid": "dem"}}]}, False),
        ({"any": [{"exact": {"type": "x"}}, {"exact": {"tenantid": "demo"}}]}, True),
        ({"any": [{"exact": {"type": "x"}}, {"exact": {"tenantid": "y"}}]}, False),
        ({"not": {"exact": {"tenantid": "other"}}}, True),
        ({"not": {"exact": {"tenantid": "demo"}}}, False),
        ({"not": {"exact": {"subject": "absent"}}}, True),
        ({"not": {"any": [{"exact": {"tenantid": "x"}}, {"not": {"prefix": {"type": "io."}}}]}}, True),
    ],
)
def test_a_filter_lets_through_what_it_says(written: dict[str, Any], expected: bool) -> None:
    assert Filter.model_validate(written).matches(EVENT) is expected


def test_no_filters_let_everything_through() -> None:
    assert all_match((), EVENT)


@pytest.mark.parametrize(("tenant", "expected"), [("demo", True), ("other", False)])
def test_several_filters_must_all_match(tenant: str, expected: bool) -> None:
    filters = [Filter(exact={"type": MAPPED}), Filter(exact={"tenantid": tenant})]
    assert all_match(filters, EVENT) is expected


@pytest.mark.parametrize(
    ("written", "field"),
    [
        ({"cesql": "type = 'x'"}, "cesql"),
        ({"sql": "type = 'x'"}, "sql"),
        ({"exact": {"Type": "x"}}, "exact.Type.[key]"),
        ({"exact": {"tenant-id": "x"}}, "exact.tenant-id.[key]"),
        ({"exact": {"7id": "x"}}, "exact.7id.[key]"),
        ({"exact": {"type": ""}}, "exact.type"),
        ({"exact": {}}, "exact"),
        ({"exact": {"urgent": True}}, "exact.urgent"),
        ({"all": []}, "all"),
        ({"any": [{"glob": {"type": "*"}}]}, "any.0.glob"),
        ({"not": [{"exact": {"type": "x"}}]}, "not"),
        ({}, ""),
        ({"exact": None}, ""),
        ({"exact": {"type": "x"}, "prefix": {"type": "x"}}, ""),
    ],
)
def test_a_filter_that_is_not_understood_is_refused(written: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Filter.model_validate(written)
    assert field in [".".join(str(part) for part in fault["loc"]) for fault in raised.value.errors()]
