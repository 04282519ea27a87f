from urllib.parse import urlencode

import pytest

from functions.console.forms import Form, FormError, finding, judgement
from llama_mapper.contracts.problems import InvalidRequest


def form(**fields: str | list[str]) -> Form:
    return Form(urlencode(fields, doseq=True).encode())


@pytest.mark.parametrize(
    ("typed", "sent"), [("4", 4.0), ("-1.5", -1.5), ("HIGH", "HIGH"), ("", None), ("4 of 7", "4 of 7")]
)
def test_severity_is_sent_as_the_number_it_is(typed: str, sent: float | str | None) -> None:
    assert finding(form(detector="azure", label="Hate", severity=typed)).severity == sent


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        ({}, {"detector", "label"}),
        ({"detector": "acme"}, {"label"}),
        ({"detector": "Acme Shield", "label": "x"}, {"detector"}),
        ({"detector": "acme", "label": "x", "score": "2"}, {"score"}),
        ({"detector": "acme", "label": "x", "severity": "!"}, {"severity"}),
    ],
)
def test_every_field_that_does_not_fit_is_named(fields: dict[str, str], faults: set[str]) -> None:
    with pytest.raises(FormError) as raised:
        finding(form(**fields))
    assert set(raised.value.faults) == faults


def test_text_is_kept_as_typed() -> None:
    assert judgement(form(content=" a\nb ")).content == " a\nb "


@pytest.mark.parametrize(("ticked", "asked"), [([], None), (["pii", "secrets"], ("pii", "secrets"))])
def test_no_ticked_detector_leaves_the_choice_to_the_policy(ticked: list[str], asked: tuple[str, ...] | None) -> None:
    assert judgement(form(content="x", family=ticked)).detector_types == asked


@pytest.mark.parametrize("content", ["", "  \n", "x" * 50_001])
def test_text_that_is_absent_or_too_long_is_a_fault(content: str) -> None:
    with pytest.raises(FormError) as raised:
        judgement(form(content=content))
    assert set(raised.value.faults) == {"content"}


@pytest.mark.parametrize("body", [b"\xff\xfe=1", b"a=1&" * 64])
def test_body_that_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        Form(body)
