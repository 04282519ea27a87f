from typing import Any

import pytest
from pydantic import ValidationError

from llama_mapper.contracts.policies import MAX_DRY_RUN_REQUESTS, PolicyValidation, ValidatePolicyRequest

DIGEST = "0123456789abcdef" * 4
ASKED: dict[str, Any] = {"bundle": "platform/decision:2026.11", "sha256": DIGEST}
FAULT: dict[str, Any] = {"file": "decision/decision.rego", "line": 12, "code": "rego_parse_error"}
CHANGE: dict[str, Any] = {"before": "flag", "after": "block", "requests": 3}
DRY_RUN: dict[str, Any] = {"requests": 1000, "changed": 3, "changes": [CHANGE]}
ANSWER: dict[str, Any] = ASKED | {"faults": []}


@pytest.mark.parametrize("bundle", ["decision", "platform/decision", "a/b/c/d:v1.2-rc_3", "team-a/x.y_z"])
def test_a_bundle_is_named_by_path_and_tag(bundle: str) -> None:
    assert ValidatePolicyRequest(bundle=bundle, sha256=DIGEST).bundle == bundle


@pytest.mark.parametrize(
    "bundle",
    [
        "",
        "Decision",
        "/decision",
        "platform/",
        "platform//decision",
        "../decision",
        "platform/../decision",
        "a/b/c/d/e",
        "decision:",
        "decision:a:b",
        "https://example.org/decision",
        "package decision",
        "package decision\ndefault allow := false",
        "ada@example.org",
    ],
)
def test_no_other_name_and_no_policy_text_is_a_bundle(bundle: str) -> None:
    with pytest.raises(ValidationError):
        ValidatePolicyRequest(bundle=bundle, sha256=DIGEST)


@pytest.mark.parametrize("digest", ["", DIGEST[1:], DIGEST + "0", DIGEST.upper(), "sha256:" + DIGEST])
def test_a_digest_is_64_lower_hex_digits(digest: str) -> None:
    with pytest.raises(ValidationError):
        ValidatePolicyRequest(bundle="decision", sha256=digest)


@pytest.mark.parametrize(
    ("count", "taken"), [(0, True), (MAX_DRY_RUN_REQUESTS, True), (-1, False), (MAX_DRY_RUN_REQUESTS + 1, False)]
)
def test_a_dry_run_is_bounded(count: int, *, taken: bool) -> None:
    if taken:
        assert ValidatePolicyRequest.model_validate(ASKED | {"dry_run_requests": count}).dry_run_requests == count
    else:
        with pytest.raises(ValidationError):
            ValidatePolicyRequest.model_validate(ASKED | {"dry_run_requests": count})


@pytest.mark.parametrize("change", [{}, {"faults": [FAULT]}, {"dry_run": DRY_RUN}], ids=["valid", "faulty", "tried"])
def test_an_answer_passes(change: dict[str, Any]) -> None:
    answer = PolicyValidation.model_validate(ANSWER | change)
    assert PolicyValidation.model_validate_json(answer.model_dump_json()) == answer


@pytest.mark.parametrize(
    "change",
    [
        {"faults": [FAULT | {"line": 0}]},
        {"faults": [FAULT | {"file": "/etc/passwd"}]},
        {"faults": [FAULT | {"code": "unexpected token near allow"}]},
        {"faults": [FAULT | {"text": "default allow := true"}]},
        {"faults": [FAULT], "dry_run": DRY_RUN},
        {"dry_run": DRY_RUN | {"changes": [CHANGE | {"after": "deny"}]}},
        {"dry_run": DRY_RUN | {"changes": [CHANGE | {"requests": 0}]}},
        {"dry_run": DRY_RUN | {"changed": 4}},
        {"dry_run": DRY_RUN | {"requests": 2}},
    ],
    ids=str,
)
def test_an_answer_that_does_not_add_up_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PolicyValidation.model_validate(ANSWER | change)
