from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from llama_mapper.contracts.jobs import CallbackUrl, Job, JobList
from llama_mapper.contracts.problems import InternalError

QUEUED: dict[str, Any] = {
    "id": "job-0001",
    "status": "queued",
    "progress": 0.0,
    "created_at": "2026-11-20T08:30:00Z",
    "updated_at": "2026-11-20T08:30:00Z",
    "expires_at": "2026-11-21T08:30:00Z",
}
LINK = "/api/v1/jobs/job-0001/result"
PROBLEM = InternalError("a reason").document("corr-0001").model_dump()


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"status": "running", "progress": 0.5},
        {"status": "succeeded", "progress": 1.0, "result": LINK},
        {"status": "failed", "problem": PROBLEM},
        {"status": "cancelled", "progress": 0.25},
    ],
    ids=lambda change: change.get("status", "queued"),
)
def test_a_job_says_how_far_it_is_and_how_it_ended(change: dict[str, Any]) -> None:
    job = Job.model_validate(QUEUED | change)
    assert Job.model_validate_json(job.model_dump_json()) == job


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"status": "done"}, id="unknown status"),
        pytest.param({"status": "succeeded"}, id="success without result"),
        pytest.param({"status": "running", "result": LINK}, id="result before the end"),
        pytest.param({"status": "failed"}, id="failure without problem"),
        pytest.param({"status": "cancelled", "problem": PROBLEM}, id="cancelled with a problem"),
        pytest.param({"status": "succeeded", "result": LINK, "problem": PROBLEM}, id="both"),
        pytest.param({"status": "succeeded", "result": "/api/v1/jobs/job-0002/result"}, id="another job's result"),
        pytest.param({"status": "succeeded", "result": "https://example.org" + LINK}, id="result elsewhere"),
        pytest.param({"progress": 1.01}, id="more than all"),
        pytest.param({"progress": float("nan")}, id="no number"),
        pytest.param({"created_at": "2026-11-20T08:30:00"}, id="no time zone"),
        pytest.param({"expires_at": None}, id="for ever"),
        pytest.param({"content": "x"}, id="content"),
    ],
)
def test_a_job_that_contradicts_itself_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Job.model_validate(QUEUED | change)


def test_a_list_of_jobs_may_be_empty() -> None:
    assert JobList(jobs=()).model_dump() == {"jobs": (), "next_cursor": None}


@pytest.mark.parametrize("url", ["http://example.org/", "http://a.b.svc/", "https://example.org/?token=x", "text"])
def test_a_callback_goes_to_a_plain_https_address_only(url: str) -> None:
    adapter: TypeAdapter[str] = TypeAdapter(CallbackUrl)
    assert adapter.validate_python("https://example.org/done")
    with pytest.raises(ValidationError):
        adapter.validate_python(url)
