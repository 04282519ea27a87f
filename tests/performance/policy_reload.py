"""How long new policies take to be in force, and a decision in process against OPA by URL.

    PYTHONPATH=.:shared:inference-services/mapper .venv/bin/python -m tests.performance.policy_reload

OPA's own engine (opa-golib) answers behind a Python HTTP server on the loopback: its figure is an upper bound of what
the sidecar takes.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

from functions.orchestrate.policies.bundle_archives import build, read
from functions.orchestrate.policies.bundle_lint import faults
from functions.orchestrate.policies.bundle_proof import compiled
from functions.orchestrate.policies.bundle_watch import LivePolicy, PathSource
from functions.orchestrate.policies.bundles import Bundle, read_folder
from functions.orchestrate.policies.opa import OpaPolicy
from functions.orchestrate.policies.rego import POLICIES, RegoPolicy
from functions.orchestrate.settings import Settings
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.orchestration import Coverage
from tests.fakes.findings import found
from tests.fakes.opa_server import serving

SHIPPED = Path(Settings.model_fields["policies"].default)
DEMO = TenantId("demo")
COVERED = Coverage(method="REQUIRED_SET", score=1.0, required=())
FINDINGS = [found("PII.Contact.Email"), found("SECRET.Key", severity=3), found("HARM.Speech.Insult")]
TIMES, RELOADS = 1000, 20


def shown(name: str, seconds: list[float]) -> None:
    ordered = sorted(seconds)
    p99 = ordered[int(len(ordered) * 0.99) - 1]
    print(f"{name:<44} p50 {statistics.median(ordered) * 1000:8.2f} ms  p99 {p99 * 1000:8.2f} ms  n {len(ordered)}")


def timed(work: Callable[[], object], times: int) -> list[float]:
    taken: list[float] = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return taken


async def awaited(work: Callable[[], Awaitable[object]], times: int) -> list[float]:
    taken: list[float] = []
    for _ in range(times):
        start = time.perf_counter()
        await work()
        taken.append(time.perf_counter() - start)
    return taken


async def reloads() -> None:
    """Reload while requests are decided, and see how long each of them waits."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policies.tar.gz"
        bundle = read_folder(SHIPPED)
        path.write_bytes(build(bundle))
        live = LivePolicy(PathSource(path), RegoPolicy, 0)
        waited: list[float] = []
        ending = False

        async def requests() -> None:
            while not ending:
                start = time.perf_counter()
                await (await live.pinned(DEMO)).decide(FINDINGS, COVERED, DEMO)
                waited.append(time.perf_counter() - start)
                await asyncio.sleep(0)

        async def turn(number: int) -> float:
            path.write_bytes(build(Bundle(bundle.modules, {**bundle.data, "version": f"0.{number}"})))
            start = time.perf_counter()
            assert await live.check() == "loaded"
            return time.perf_counter() - start

        idle = [await turn(number) for number in range(RELOADS)]
        shown("reload, nothing else to do", idle)
        asking = asyncio.create_task(requests())
        busy = [await turn(number) for number in range(RELOADS, 2 * RELOADS)]
        ending = True
        await asking
        shown("reload under load", busy)
        shown("a decision meanwhile", waited)


async def decisions() -> None:
    import opa_bindings

    bundle = read_folder(SHIPPED)
    policy = RegoPolicy(bundle)
    shown("a decision in process", await awaited(lambda: policy.decide(FINDINGS, COVERED, DEMO), TIMES))
    engine = opa_bindings.OpaEngine()
    for name, source in bundle.policies.items():
        engine.add_policy(name, source)
    engine.add_data(json.loads(json.dumps(bundle.data)))

    def evaluate(path: str, question: Any) -> Any:
        return engine.eval_document(path.replace("/", "."), question)

    with serving(evaluate) as url:
        async with aclosing(OpaPolicy(bundle, url, 5.0)) as opa:
            await awaited(lambda: opa.decide(FINDINGS, COVERED, DEMO), 20)
            shown("a decision of OPA by URL", await awaited(lambda: opa.decide(FINDINGS, COVERED, DEMO), TIMES))
    engine.close()


async def main() -> None:
    bundle = read_folder(SHIPPED)
    archive = build(bundle)
    print(f"{len(bundle.policies)} policies, {len(bundle.tests)} test files, bundle of {len(archive)} bytes")
    shown("read the folder", timed(lambda: read_folder(SHIPPED), 50))
    shown("read the bundle", timed(lambda: read(archive), 50))
    shown("compile", timed(lambda: compiled(bundle, POLICIES), 50))
    shown("prove: compile, lint, run the tests", timed(lambda: faults(bundle, POLICIES), 20))
    await reloads()
    await decisions()


if __name__ == "__main__":
    asyncio.run(main())
