import pytest
from pydantic import BaseModel, ValidationError

from llama_mapper.chassis.faults import field_errors, named
from llama_mapper.contracts.analysis import AnalyzeRequest
from llama_mapper.contracts.events import AnalysisCompleted
from llama_mapper.contracts.mapping import VendorFinding
from llama_mapper.contracts.problems import FieldError

SECRET = "ada@example.org"


def fields(model: type[BaseModel], value: object) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(value)
    return [error.field for error in field_errors(caught.value.errors())]


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"findings": [{"label": "PII"}]}, "findings.0.confidence"),
        ({"findings": [{"label": "PII", SECRET: 1}]}, "findings.0.(unknown field)"),
        ({"findings": [{"label": "PII", "label_": 1, "sources": [{}]}]}, "findings.0.sources.0.detector"),
    ],
)
def test_a_nested_fault_has_its_path(value: object, field: str) -> None:
    assert field in fields(AnalyzeRequest, value)


@pytest.mark.parametrize("components", [{SECRET: 1.0}, {SECRET: "x"}, {"ok": SECRET}])
def test_the_keys_of_an_open_mapping_do_not_show(components: object) -> None:
    shown = fields(AnalysisCompleted, {"components": components})
    assert "components" in {field.partition(".")[0] for field in shown}
    assert SECRET not in str(shown)


def test_the_members_of_a_union_are_one_field() -> None:
    shown = fields(VendorFinding, {"detector": "presidio", "label": "x", "severity": []})
    assert set(shown) == {"severity"}


def test_a_fault_of_the_whole_value_has_a_name_too() -> None:
    assert fields(VendorFinding, SECRET) == ["(body)"]


def test_names_are_listed_once() -> None:
    errors = [FieldError(field=field, message=str(i)) for i, field in enumerate(["b", "a", "b"])]
    assert named(errors) == "b, a"
