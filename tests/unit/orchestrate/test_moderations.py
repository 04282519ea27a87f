"""What is made of a moderation request, and of an answer and a problem on the way back."""

from typing import Any

import pytest
from pydantic import ValidationError

from functions.orchestrate.moderations.api import ModerationRequest, contents, result
from functions.orchestrate.moderations.errors import translated
from llama_mapper.contracts.problems import (
    ContentTooLarge,
    FieldError,
    InsufficientRbac,
    InvalidRequest,
    Problem,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from tests.fakes.orchestration import Fakes, SayingPolicy


@pytest.mark.parametrize(
    ("given", "judged"),
    [
        ("a", ("a",)),
        (["a", "b"], ("a", "b")),
        ([{"type": "text", "text": "a"}], ("a",)),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b", "new": 1}], ("a\nb",)),
    ],
)
def test_texts_are_judged_one_by_one_and_parts_as_one_text(given: Any, judged: tuple[str, ...]) -> None:
    assert contents(ModerationRequest.model_validate({"input": given, "model": "omni-moderation-latest"})) == judged


@pytest.mark.parametrize("given", [None, "", [], [""], ["a", 1], [1, 2], {}, [{"type": "video"}], ["a"] * 101])
def test_what_is_no_text_is_refused(given: Any) -> None:
    with pytest.raises(ValidationError):
        ModerationRequest.model_validate({"input": given})


def test_an_image_is_refused_by_its_place() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "https://example.org/canary"}}]
    with pytest.raises(InvalidRequest, match="images are not judged here") as refused:
        contents(ModerationRequest.model_validate({"input": parts}))
    assert refused.value.errors[0].field == "input.1.type"


def test_parts_that_are_too_long_together_are_too_large() -> None:
    parts = [{"type": "text", "text": "a" * 30_000}] * 2
    with pytest.raises(ContentTooLarge):
        contents(ModerationRequest.model_validate({"input": parts}))


@pytest.mark.parametrize(("action", "flagged"), [("allow", False), ("flag", True), ("redact", True), ("block", True)])
async def test_everything_the_decision_does_not_allow_is_flagged(action: str, flagged: bool) -> None:
    answer = await Fakes(policy=SayingPolicy(action=action)).judge()
    assert result(answer).flagged is flagged


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (InvalidRequest("x"), "invalid_request_error"),
        (ContentTooLarge("x"), "invalid_request_error"),
        (Unauthorized("x"), "authentication_error"),
        (InsufficientRbac("x"), "permission_error"),
        (RateLimited("x"), "rate_limit_error"),
        (Unavailable("x"), "server_error"),
    ],
)
def test_a_problem_has_openais_kind_and_our_code(problem: Problem, kind: str) -> None:
    error = translated(problem.document("correlation-1")).error
    assert (error.type, error.code, error.message, error.param) == (kind, problem.error_code, "x", None)


def test_the_first_field_is_the_param() -> None:
    problem = InvalidRequest("check: input", errors=(FieldError(field="input", message="missing"),))
    assert translated(problem.document("correlation-1")).error.param == "input"
