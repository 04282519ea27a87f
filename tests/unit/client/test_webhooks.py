"""What a receiver of callbacks believes, compared with the specification's own library."""

from datetime import UTC, datetime
from typing import Any

import pytest
import standardwebhooks

from functions.orchestrate.webhooks.signing import sign
from llama_mapper.client import WrongSignature, verify_webhook
from llama_mapper.contracts.jobs import Job

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
OTHER = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYp="[:-2] + "4="
NOW = datetime.now(UTC)
AT = "2026-11-20T08:30:00Z"
JOB = Job.model_validate(
    {"id": "job-0001", "status": "queued", "progress": 0, "created_at": AT, "updated_at": AT, "expires_at": AT}
)
BODY = JOB.model_dump_json().encode()
SIGNED = sign([SECRET], "job-0001", NOW, BODY)


def test_what_we_sign_both_libraries_verify() -> None:
    signed = sign([SECRET], "job-0001", datetime.now(UTC), BODY)
    standardwebhooks.Webhook(SECRET).verify(BODY, signed)
    assert verify_webhook(signed, BODY, SECRET) == JOB


def test_what_the_other_library_signs_we_verify() -> None:
    signature = standardwebhooks.Webhook(SECRET).sign("job-0001", NOW, BODY.decode())
    assert signature == SIGNED["webhook-signature"]


def test_any_of_several_signatures_will_do_and_the_case_of_headers_does_not_matter() -> None:
    headers = sign([OTHER, SECRET], "job-0001", NOW, BODY)
    assert (
        verify_webhook({name.title(): value for name, value in headers.items()}, BODY, SECRET, now=NOW.timestamp())
        == JOB
    )


def test_a_newer_services_field_is_passed_over() -> None:
    body = BODY[:-1] + b',"newer":1}'
    assert verify_webhook(sign([SECRET], "job-0001", NOW, body), body, SECRET, now=NOW.timestamp()) == JOB


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"body": BODY + b" "}, id="changed"),
        pytest.param({"secret": OTHER}, id="another's secret"),
        pytest.param({"secret": "whsec_?"}, id="no secret"),
        pytest.param({"headers": {}}, id="no headers"),
        pytest.param({"headers": SIGNED | {"webhook-id": "job-0002"}}, id="another id"),
        pytest.param({"headers": SIGNED | {"webhook-timestamp": "x"}}, id="no time"),
        pytest.param({"headers": SIGNED | {"webhook-timestamp": "1"}}, id="another time"),
        pytest.param({"headers": SIGNED | {"webhook-signature": ""}}, id="no signature"),
        pytest.param({"headers": SIGNED | {"webhook-signature": "v1,\u00e4"}}, id="no ASCII"),
        pytest.param(
            {"headers": SIGNED | {"webhook-signature": SIGNED["webhook-signature"].replace("v1,", "v2,")}},
            id="another version",
        ),
        pytest.param({"now": NOW.timestamp() + 301}, id="replayed later"),
        pytest.param({"now": NOW.timestamp() - 301}, id="from the future"),
    ],
)
def test_what_is_not_ours_is_not_believed(change: dict[str, Any]) -> None:
    given: dict[str, Any] = {"headers": SIGNED, "body": BODY, "secret": SECRET, "now": NOW.timestamp()} | change
    with pytest.raises(WrongSignature):
        verify_webhook(**given)


def test_signed_nonsense_is_not_shown() -> None:
    body = b'{"canary": 1}'
    with pytest.raises(WrongSignature, match="shape") as refused:
        verify_webhook(sign([SECRET], "job-0001", NOW, body), body, SECRET, now=NOW.timestamp())
    assert "canary" not in repr(refused.value) + repr(refused.value.__context__)
