"""Jobs on a real Valkey: they run once, in their order, are taken over, cancelled, and leave nothing behind."""

import asyncio
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from functions.orchestrate.jobs.queue import GROUP, STREAMS, JobQueue, turns
from functions.orchestrate.jobs.store import Keeping
from llama_mapper.chassis import metrics
from llama_mapper.chassis.sealing import new_keyset
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.orchestration import Priority
from llama_mapper.contracts.problems import Conflict, Gone, NotFound, RateLimited, Unavailable
from tests.fakes.jobs import CONTENT, QUICK, WaitingDetect, held_by, names, order, store, until, working
from tests.fakes.orchestration import DEMO, Fakes, SayingDetect, report

OTHER = TenantId("other")


async def streams_are_empty(redis: Redis) -> None:
    async with asyncio.timeout(10):
        while sum([await redis.xlen(one) for one in STREAMS]):  # noqa: ASYNC110 - another task's state
            await asyncio.sleep(0.01)


def finding() -> Fakes:
    return Fakes(detect=SayingDetect(says={"words": report("words", "EMAIL")}))


async def test_a_job_runs_and_has_the_answer_the_request_would_have_had(redis: Redis, url: str) -> None:
    jobs, fakes = store(redis), finding()
    job = await jobs.submit(order())
    assert (job.status, job.progress) == ("queued", 0.0)
    async with working(url, jobs, fakes.orchestrator):
        ended = await until(jobs, names(job))
        await streams_are_empty(redis)
    assert (ended.status, ended.progress) == ("succeeded", 1.0)
    assert ended.result == f"/api/v1/jobs/{job.id}/result"
    answer = await jobs.result(names(job))
    assert [found.label for found in answer.findings] == ["PII.Contact.Email"]
    assert (str(answer.request_id), answer.correlation_id) == (str(job.id), "correlation-1")
    (event,) = fakes.emit.events
    assert str(event.request_id) == job.id
    assert fakes.policy.admitted == [(DEMO, len(CONTENT))]


async def test_the_content_is_sealed_while_it_waits_and_gone_when_the_job_has_ended(redis: Redis, url: str) -> None:
    detect = WaitingDetect(says={"words": report("words", "EMAIL")})
    jobs, fakes = store(redis), Fakes(detect=detect)
    job = await jobs.submit(order(callback="https://example.org/canary-hook"))
    waiting = await held_by(redis)
    assert await redis.ttl(names(job).claim) > 0
    async with working(url, jobs, fakes.orchestrator):
        await detect.asking.wait()
        running = await held_by(redis)
        detect.let.set()
        await until(jobs, names(job))
        after = await held_by(redis)
    for held in (waiting, running, after):
        assert "canary" not in held
        assert "example.org" not in held
        assert "EMAIL" not in held.replace("email", "")
    assert names(job).claim in running
    assert not await redis.exists(names(job).claim)
    assert await redis.ttl(names(job).result) > 0


async def test_what_one_key_sealed_another_tenant_job_or_key_does_not_open(redis: Redis) -> None:
    jobs = store(redis)
    mine, other = await jobs.submit(order()), await jobs.submit(order(OTHER))
    await redis.copy(names(mine).claim, names(other, OTHER).claim, replace=True)
    assert await jobs.content(names(other, OTHER)) is None
    assert (await jobs.content(names(mine))) is not None
    assert await store(redis, keyset=new_keyset()).content(names(mine)) is None


async def test_progress_is_the_share_of_detectors_that_answered(redis: Redis, url: str) -> None:
    detect = WaitingDetect()
    jobs, fakes = store(redis), Fakes(detect=detect)
    fakes.model_servers.says = {"server": report("server")}
    asked = order()
    request = asked.request.model_copy(update={"detector_types": ("words", "numbers", "server")})
    job = await jobs.submit(replace(asked, request=request))
    async with working(url, jobs, fakes.orchestrator):
        running = await until(jobs, names(job), lambda one: one.progress > 0)
        assert running.status == "running"
        assert running.progress == pytest.approx(0.8 / 3, abs=0.01)
        detect.let.set()
        assert (await until(jobs, names(job))).progress == 1.0


async def test_a_job_that_waits_is_cancelled_and_never_run(redis: Redis, url: str) -> None:
    jobs, fakes = store(redis), finding()
    job = await jobs.submit(order())
    assert (await jobs.cancel(names(job))).status == "cancelled"
    assert not await redis.exists(names(job).claim)
    async with working(url, jobs, fakes.orchestrator):
        await streams_are_empty(redis)
    assert fakes.detect.asked == []
    with pytest.raises(Conflict, match="ended already"):
        await jobs.cancel(names(job))
    with pytest.raises(Gone, match="cancelled"):
        await jobs.result(names(job))


async def test_a_job_that_runs_is_cancelled_and_tells_the_broker_nothing(redis: Redis, url: str) -> None:
    detect = WaitingDetect()
    jobs, fakes = store(redis), Fakes(detect=detect)
    job = await jobs.submit(order())
    async with working(url, jobs, fakes.orchestrator):
        await detect.asking.wait()
        assert (await jobs.cancel(names(job))).status == "cancelled"
        await streams_are_empty(redis)
        detect.let.set()
    assert fakes.emit.events == []
    assert (await jobs.record(names(job))).job.status == "cancelled"


async def test_once_the_event_may_be_out_a_job_is_not_cancelled_any_more(redis: Redis) -> None:
    jobs = store(redis)
    job = await jobs.submit(order())
    assert await jobs.begin(names(job), "owner") == 1
    assert await jobs.commit(names(job), "owner")
    with pytest.raises(Conflict, match="about to end"):
        await jobs.cancel(names(job))


async def test_of_cancelling_and_ending_exactly_one_happens(redis: Redis, url: str) -> None:
    jobs, fakes = store(redis), finding()
    submitted = [await jobs.submit(order()) for _ in range(40)]

    async def cancel(number: int) -> bool:
        await asyncio.sleep(number * 0.002)
        try:
            return (await jobs.cancel(names(submitted[number]))).status == "cancelled"
        except Conflict:
            return False

    async with working(url, jobs, fakes.orchestrator):
        cancelled = await asyncio.gather(*(cancel(number) for number in range(40)))
        ended = [await until(jobs, names(job)) for job in submitted]
        await streams_are_empty(redis)
    assert [job.status == "cancelled" for job in ended] == cancelled
    told = {str(event.request_id) for event in fakes.emit.events}
    assert told == {str(job.id) for job in ended if job.status == "succeeded"}


async def test_what_a_worker_left_is_run_by_another_and_its_late_answer_dropped(redis: Redis, url: str) -> None:
    jobs, fakes = store(redis), finding()
    job = await jobs.submit(order())
    dead = JobQueue(redis, "dead", QUICK.lease_seconds)
    await dead.open()
    assert await dead.take() is not None
    assert await jobs.begin(names(job), "dead owner") == 1
    async with working(url, jobs, fakes.orchestrator):
        ended = await until(jobs, names(job))
    assert ended.status == "succeeded"
    assert (await jobs.record(names(job))).attempts == 2
    assert not await jobs.succeed(names(job), "dead owner", await jobs.result(names(job)))
    assert not await jobs.report(names(job), "dead owner", 0.1)


async def test_a_job_that_ends_its_workers_fails(redis: Redis, url: str) -> None:
    jobs, fakes = store(redis), finding()
    job = await jobs.submit(order())
    for attempt in (1, 2, 3):
        assert await jobs.begin(names(job), f"dead {attempt}") == attempt
    async with working(url, jobs, fakes.orchestrator):
        ended = await until(jobs, names(job))
    assert ended.problem is not None
    assert ended.problem.error_code == "INTERNAL_ERROR"
    assert fakes.detect.asked == []
    assert not await redis.exists(names(job).claim)
    with pytest.raises(Conflict, match="failed"):
        await jobs.result(names(job))


async def test_a_job_whose_content_has_expired_fails_and_says_so(redis: Redis, url: str) -> None:
    jobs, fakes = store(redis), finding()
    job = await jobs.submit(order())
    await redis.delete(names(job).claim)
    async with working(url, jobs, fakes.orchestrator):
        ended = await until(jobs, names(job))
    assert ended.problem is not None
    assert "longer than its content is kept" in ended.problem.detail


async def test_a_job_that_cannot_be_judged_fails_with_its_problem(redis: Redis, url: str) -> None:
    jobs, fakes = store(redis), finding()
    fakes.policy.action = Unavailable("the policy cannot be evaluated")
    job = await jobs.submit(order())
    async with working(url, jobs, fakes.orchestrator):
        ended = await until(jobs, names(job))
    assert ended.status == "failed"
    assert ended.problem is not None
    assert (ended.problem.error_code, ended.problem.correlation_id) == ("UNAVAILABLE", "correlation-1")
    assert len(fakes.policy.decided) == 3, "what may pass is tried again"


async def test_a_job_that_takes_too_long_fails(redis: Redis, url: str) -> None:
    jobs, fakes = store(redis), Fakes(detect=WaitingDetect())
    job = await jobs.submit(order())
    async with working(url, jobs, fakes.orchestrator, replace(QUICK, job_seconds=0.01)):
        ended = await until(jobs, names(job))
    assert ended.problem is not None
    assert ended.problem.error_code == "REQUEST_TIMEOUT"


async def test_an_answer_that_has_expired_is_gone_and_the_job_says_still_that_it_was(redis: Redis, url: str) -> None:
    jobs, fakes = store(redis), finding()
    job = await jobs.submit(order())
    async with working(url, jobs, fakes.orchestrator):
        await until(jobs, names(job))
    await redis.delete(names(job).result)
    with pytest.raises(Gone, match="expired"):
        await jobs.result(names(job))
    assert (await jobs.record(names(job))).job.status == "succeeded"


async def test_another_tenants_job_is_not_there(redis: Redis) -> None:
    jobs = store(redis)
    job = await jobs.submit(order())
    for ask in (jobs.record, jobs.result, jobs.cancel):
        with pytest.raises(NotFound):
            await ask(names(job, OTHER))
    assert (await jobs.list(OTHER, 10, None)).jobs == ()


async def test_jobs_are_listed_newest_first_page_by_page(redis: Redis) -> None:
    jobs = store(redis)
    submitted = [(await jobs.submit(order())).id for _ in range(5)]
    await jobs.submit(order(OTHER))
    listed, cursor = [], None
    for _ in range(3):
        page = await jobs.list(DEMO, 2, cursor)
        listed += [job.id for job in page.jobs]
        cursor = page.next_cursor
    assert cursor is None
    assert sorted(listed) == sorted(submitted)
    assert listed == sorted(listed, reverse=True)


async def test_a_tenant_has_only_so_many_open_jobs_and_others_have_theirs(redis: Redis) -> None:
    jobs = store(redis, Keeping(most_open=2))
    first = await jobs.submit(order())
    await jobs.submit(order())
    with pytest.raises(RateLimited):
        await jobs.submit(order())
    await jobs.submit(order(OTHER))
    await jobs.cancel(names(first))
    await jobs.submit(order())


async def test_the_urgent_go_first_and_the_low_are_not_starved(redis: Redis) -> None:
    jobs, queue = store(redis), JobQueue(redis, "worker", 15)
    await queue.open()
    priorities: list[Priority] = ["low", "normal", "high", "critical"]
    for priority in priorities:
        for _ in range(15):
            await jobs.submit(order(priority=priority))
    taken = []
    for _ in range(15):
        one = await queue.take()
        assert one is not None
        taken.append(one.stream.rpartition(":")[2])
    assert taken == turns()
    assert {one: taken.count(one) for one in priorities} == {"low": 1, "normal": 2, "high": 4, "critical": 8}
    assert taken[0] == "critical"


async def test_a_turn_of_a_priority_that_has_none_is_anothers(redis: Redis) -> None:
    jobs, queue = store(redis), JobQueue(redis, "worker", 15)
    await queue.open()
    submitted = [(await jobs.submit(order(priority="low"))).id for _ in range(3)]
    taken = [await queue.take() for _ in range(4)]
    assert [one.names.job_id for one in taken if one] == submitted
    assert taken[3] is None


async def test_no_more_run_at_once_than_may(redis: Redis, url: str) -> None:
    detect = WaitingDetect()
    jobs, fakes = store(redis), Fakes(detect=detect)
    submitted = [await jobs.submit(order()) for _ in range(5)]
    async with working(url, jobs, fakes.orchestrator):
        for job in submitted[:2]:
            await until(jobs, names(job), lambda one: one.status == "running")
        statuses = [(await jobs.record(names(job))).job.status for job in submitted]
        assert statuses == ["running"] * 2 + ["queued"] * 3
        detect.let.set()
        for job in submitted:
            await until(jobs, names(job))


async def test_a_store_that_was_emptied_is_worked_on_again(redis: Redis, url: str) -> None:
    jobs, fakes = store(redis), finding()
    async with working(url, jobs, fakes.orchestrator):
        await until(jobs, names(await jobs.submit(order())))
        await redis.flushdb()
        assert (await until(jobs, names(await jobs.submit(order())))).status == "succeeded"


async def test_depth_and_outcomes_are_counted(redis: Redis, url: str) -> None:
    def ended(outcome: str) -> float:
        return metrics.REGISTRY.get_sample_value("llama_mapper_jobs_total", {"outcome": outcome}) or 0.0

    jobs, fakes = store(redis), finding()
    queue = JobQueue(redis, "worker", 15)
    await queue.open()
    job = await jobs.submit(order(priority="high"))
    assert {one.priority: one.depth for one in await queue.waiting()} == {
        "critical": 0, "high": 1, "normal": 0, "low": 0
    }  # fmt: skip
    before = ended("succeeded")
    async with working(url, jobs, fakes.orchestrator):
        await until(jobs, names(job))
        await streams_are_empty(redis)
    assert ended("succeeded") - before == 1
    assert (await redis.xpending(STREAMS[1], GROUP))["pending"] == 0


async def test_what_nobody_foresaw_costs_the_job_and_not_the_worker(redis: Redis, url: str) -> None:
    jobs, fakes = store(redis), finding()
    fakes.detect.says = {"words": None}  # type: ignore[dict-item]  # an AttributeError, and no problem
    job = await jobs.submit(order())
    async with working(url, jobs, fakes.orchestrator, replace(QUICK, lease_seconds=0.1)):
        ended = await until(jobs, names(job))
        fakes.detect.says = {}
        after = await until(jobs, names(await jobs.submit(order())))
    assert ended.problem is not None
    assert ended.problem.error_code == "INTERNAL_ERROR"
    assert after.status == "succeeded"
