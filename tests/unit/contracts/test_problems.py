from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.contracts.problems import MAX_DOCUMENT_BYTES, ErrorCode, FieldError, InvalidRequest, Problem

texts = st.text(max_size=160)
field_errors = st.lists(st.builds(FieldError, field=st.text(max_size=120), message=texts), max_size=40)
IDS = "correlation-id-of-the-longest-kind-that-there-is-0123456789abcdef"[:64]


def tree(root: type[Problem] = Problem) -> Iterator[type[Problem]]:
    for problem in root.__subclasses__():
        yield problem
        yield from tree(problem)


# Their bodies go into dead letters, whose buffer an event broker bounds in bytes.
@given(st.text(max_size=400), field_errors)
def test_a_document_stays_small_whatever_it_names(detail: str, errors: list[FieldError]) -> None:
    document = InvalidRequest(detail, errors=tuple(errors)).document(IDS)
    assert len(document.model_dump_json().encode()) < MAX_DOCUMENT_BYTES


def test_thousands_of_faults_keep_the_first_ones_in_order() -> None:
    errors = tuple(FieldError(field=f"findings.{i}.label", message="Field required") for i in range(5000))
    document = InvalidRequest("check: findings", errors=errors).document(IDS)
    assert document.errors == errors[: len(document.errors)]
    assert len(document.errors) >= 5


def test_few_faults_are_all_there() -> None:
    errors = tuple(FieldError(field=f"f{i}", message="Field required") for i in range(3))
    assert InvalidRequest("check: f0, f1, f2", errors=errors).document(IDS).errors == errors


def test_a_long_detail_is_cut_at_240_characters() -> None:
    assert len(InvalidRequest("x" * 1000).document(IDS).detail) == 240


@pytest.mark.parametrize("sign", ["\0", "漢", "😀"], ids=["escaped", "three bytes", "four bytes"])
def test_a_detail_that_takes_more_bytes_than_characters_is_cut_further(sign: str) -> None:
    document = InvalidRequest(sign * 240).document(IDS)
    assert 0 < len(document.detail) < 240
    assert len(document.model_dump_json().encode()) < MAX_DOCUMENT_BYTES


@pytest.mark.parametrize("problem", list(tree()), ids=lambda problem: problem.__name__)
def test_a_problem_says_its_code_status_and_whether_to_try_again(problem: type[Problem]) -> None:
    document = problem("a reason").document(IDS)
    assert document.type == f"/problems/{problem.error_code.lower().replace('_', '-')}"
    assert (document.status, document.error_code, document.retryable) == (
        problem.status,
        problem.error_code,
        problem.retryable,
    )
    assert (document.correlation_id, document.detail) == (IDS, "a reason")


def test_every_code_of_the_closed_set_has_one_problem() -> None:
    codes = [problem.error_code for problem in tree()]
    assert sorted(codes) == sorted(ErrorCode.__args__)  # type: ignore[attr-defined]


@pytest.mark.parametrize("problem", list(tree()), ids=lambda problem: problem.__name__)
def test_what_a_broker_delivers_again_is_what_may_work_later(problem: type[Problem]) -> None:
    delivered_again = problem.status >= 500 or problem.status in (404, 408, 409, 429)
    if problem.retryable:
        assert delivered_again
