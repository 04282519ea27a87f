"""A worker that is killed in the middle of a job (SIGKILL), and another that finishes it."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from redis.asyncio import Redis

from functions.orchestrate.jobs.queue import STREAMS
from tests.fakes.jobs import KEYSET, names, order, store, until, working
from tests.fakes.orchestration import Fakes, SayingDetect, report

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
async def test_a_killed_workers_job_is_finished_by_another(redis: Redis, url: str) -> None:
    jobs = store(redis)
    fakes = Fakes(detect=SayingDetect(says={"words": report("words", "EMAIL")}))
    job = await jobs.submit(order())
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(str(ROOT / one) for one in (".", "shared"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.fakes.job_process", url,
        cwd=ROOT, env=environment, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(KEYSET.replace("\n", "").encode() + b"\n")
    try:
        await until(jobs, names(job), lambda one: one.status == "running")
    finally:
        process.kill()
        await process.wait()
    assert await redis.exists(names(job).claim)
    async with working(url, jobs, fakes.orchestrator):
        ended = await until(jobs, names(job))
        async with asyncio.timeout(10):
            while sum([await redis.xlen(one) for one in STREAMS]):  # noqa: ASYNC110 - another task's state
                await asyncio.sleep(0.01)
    assert ended.status == "succeeded"
    assert (await jobs.record(names(job))).attempts == 2
    assert [str(event.request_id) for event in fakes.emit.events] == [str(job.id)]
    assert not await redis.exists(names(job).claim)
