"""What is delivered again, and when."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.local.delivery import Failed, backoff_seconds, is_retried, retry_after_seconds, wait_seconds
from llama_mapper.local.manifests import DeliverySpec

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


def spec(**fields: Any) -> DeliverySpec:
    return DeliverySpec.model_validate(fields)


@pytest.mark.parametrize(
    ("policy", "failures", "expected"),
    [
        ("exponential", 0, 0.2),
        ("exponential", 1, 0.4),
        ("exponential", 4, 3.2),
        ("exponential", 9, 60.0),
        ("exponential", 100_000, 60.0),
        ("linear", 0, 0.0),
        ("linear", 1, 0.2),
        ("linear", 5, 1.0),
        ("linear", 100_000, 60.0),
        (None, 3, 0.0),
    ],
)
def test_the_wait_grows_by_the_policy_up_to_the_cap(policy: str | None, failures: int, expected: float) -> None:
    delivery = spec(retry=5, backoffPolicy=policy, backoffDelay="PT0.2S")
    assert backoff_seconds(delivery, failures, cap_seconds=60.0) == pytest.approx(expected)


@given(st.integers(0, 10_000), st.sampled_from(["linear", "exponential"]))
def test_the_wait_never_shrinks(failures: int, policy: str) -> None:
    delivery = spec(backoffPolicy=policy, backoffDelay="PT0.05S")
    assert backoff_seconds(delivery, failures, 300.0) <= backoff_seconds(delivery, failures + 1, 300.0) <= 300.0


@pytest.mark.parametrize(
    ("code", "expected"),
    [(500, True), (502, True), (599, True), (404, True), (408, True), (409, True), (429, True)]
    + [(code, False) for code in (301, 400, 401, 403, 405, 407, 410, 413, 422, 428, 499)],
)
def test_what_may_pass_is_delivered_again_and_nothing_else(code: int, expected: bool) -> None:
    assert is_retried(code) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, 0.0),
        ("", 0.0),
        ("3", 3.0),
        ("-3", 0.0),
        ("3.5", 0.0),
        ("soon", 0.0),
        ("²", 0.0),
        ("Fri, 20 Nov 2026 08:00:07 GMT", 7.0),
        ("Fri, 20 Nov 2026 07:59:53 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, expected: float) -> None:
    assert retry_after_seconds(header, NOW) == expected


@pytest.mark.parametrize(
    ("code", "retry_after_max", "expected"),
    [
        (503, "PT10S", 4.0),
        (429, "PT10S", 4.0),
        (429, "PT2S", 2.0),
        (429, "PT0S", 0.2),
        (429, "PT0.1S", 0.2),
        (429, None, 0.2),
        (500, "PT10S", 0.2),
        (404, "PT10S", 0.2),
    ],
)
def test_retry_after_counts_where_the_delivery_allows_it(
    code: int, retry_after_max: str | None, expected: float
) -> None:
    delivery = spec(backoffPolicy="exponential", backoffDelay="PT0.2S", retryAfterMax=retry_after_max)
    assert wait_seconds(delivery, 0, code, "4", cap_seconds=60.0) == expected


@pytest.mark.parametrize(("size", "characters"), [(0, 0), (3, 4), (768, 1024), (769, 1024), (5000, 1024)])
def test_error_data_has_at_most_1024_characters(size: int, characters: int) -> None:
    assert len(Failed(422, b"x" * size, 1).error_data) == characters
