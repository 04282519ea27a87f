"""A worker in a process of its own, whose detector never answers: to be killed in the middle of a job."""

import asyncio
import sys
from dataclasses import replace

from redis.asyncio import Redis

from functions.orchestrate.jobs.worker import JobWorker
from tests.fakes.jobs import QUICK, WaitingDetect, store
from tests.fakes.orchestration import Fakes


async def main(url: str, keyset: str) -> None:
    async with Redis.from_url(url) as redis:
        fakes = Fakes(detect=WaitingDetect())
        JobWorker(url, store(redis, keyset=keyset), fakes.orchestrator, replace(QUICK, job_seconds=600)).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.stdin.readline()))
