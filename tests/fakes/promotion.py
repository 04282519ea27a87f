"""Everything around the gate, real but for the cluster: API server, KServe, Prometheus, a transformer's counters."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from functions.promote.adapters import OffTheLoop, Surroundings
from functions.promote.metrics import Prometheus as Reader
from functions.promote.rules import Margin, Rules
from functions.promote.service import Gate
from llama_mapper.chassis import metrics
from llama_mapper.chassis.events import Sink
from llama_mapper.cluster.api import Cluster
from llama_mapper.contracts.canaries import Canary, CanarySpec
from llama_mapper.contracts.events import EvaluationCompleted
from llama_mapper.contracts.mapping import Versions
from mapper_serving.revisions import HEADER, Outcome, Revisions
from tests.fakes import kubernetes_http, prometheus
from tests.fakes.kserve import CANDIDATE, FIRST, NAMESPACE, SECOND, KServe, cluster
from tests.fakes.kubernetes_api import ApiServer

BEGINNING = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
# So wide that a few hundred calls decide.
WIDE = Rules(
    margins={name: Margin(regression=0.2) for name in ("errors", "invalid", "unsure")}, min_calls=30, min_seconds=60
)
EVALUATED = EvaluationCompleted(
    evaluation_id="evaluation-1",
    model="mapper-llm",
    adapter="candidate-1",
    golden_set="unseen",
    golden_set_version="2026.11",
    cases=400,
    metrics={"macro-f1": 0.9},
    gates_passed=("coverage", "macro-f1", "nonsense-abstained", "expected-calibration-error"),
    gates_failed=(),
    versions=Versions(taxonomy="2026.11", mapper="0.1.0"),
)


def client_of(api: ApiServer, token: str = kubernetes_http.TOKEN) -> Cluster:
    from kubernetes.client import ApiClient, Configuration

    configuration = Configuration(host=api.url)
    configuration.api_key = {"authorization": f"Bearer {token}"}
    configuration.retries = False
    return Cluster(ApiClient(configuration), NAMESPACE)


@dataclass
class Promotion:
    """One cluster with a gate. Time passes only in ``tick``."""

    api: ApiServer
    kserve: KServe
    prometheus: prometheus.Prometheus
    person: Cluster
    gate: Gate
    events: list[dict[str, Any]]
    broker: list[int] = field(default_factory=lambda: [202])
    now: datetime = BEGINNING
    revisions: Revisions = field(default_factory=lambda: Revisions(("PII", "SAFETY"), 0.6))

    def start(self, **spec: Any) -> Canary:
        given = {"inference_service": "mapper", "storage_uri": CANDIDATE, "adapter": "candidate-1", **spec}
        return self.person.create("mapper", CanarySpec.model_validate(given))

    @property
    def canary(self) -> Canary:
        return self.person.canary("mapper")

    @property
    def percent(self) -> int | None:
        return self.person.service("mapper").percent

    def calls(self, revision: str, number: int, outcome: Outcome = "answered", confidence: float = 0.9) -> None:
        """Let *revision* get *number* calls that all end in *outcome*."""
        for _ in range(number):
            with self.revisions.call(30.0) as call:
                call.came_from({HEADER: revision})
                call.outcome = outcome
            if outcome == "answered":
                self.revisions.judged(revision, "PII.Contact.Email", confidence)

    def scrape(self) -> None:
        page = metrics.exposition().decode()
        self.prometheus.scrape(page, knative_service="mapper-transformer", pod="mapper-transformer-00001-abc")

    async def tick(self, seconds: int = 60) -> str:
        """Let *seconds* pass, have the counters read, and look; what the look came to."""
        self.now += timedelta(seconds=seconds)
        self.prometheus.now = self.now.timestamp()
        self.scrape()
        found = await self.gate.look_at_all(self.now)
        return found.get("mapper", "")

    async def ticks(self, number: int) -> list[str]:
        return [await self.tick() for _ in range(number)]

    async def evaluated(self, **changes: Any) -> None:
        await self.gate.evaluated(EVALUATED.model_copy(update=changes), self.now, self.now)


@asynccontextmanager
async def running(folder: Path | None = None, rules: Rules = WIDE) -> AsyncIterator[Promotion]:
    api, kserve = cluster()
    events: list[dict[str, Any]] = []
    answers = [202]

    def take(request: httpx.Request) -> httpx.Response:
        if answers[0] == 202:
            events.append({name[3:]: value for name, value in request.headers.items() if name.startswith("ce-")})
            events[-1]["data"] = request.content
        return httpx.Response(answers[0])

    with kubernetes_http.serving(api), prometheus.serving(prometheus.Prometheus()) as measured:
        async with httpx.AsyncClient(trust_env=False) as client:
            pod = client_of(api)
            sink = Sink("http://broker", httpx.AsyncClient(transport=httpx.MockTransport(take)))
            gate = Gate(
                cluster=OffTheLoop(lambda: pod),
                measured=Reader(measured.url, client, 0.45, 5.0),
                outside=Surroundings(sink, folder),
                rules=rules,
            )
            promotion = Promotion(api, kserve, measured, client_of(api), gate, events, answers)
            for revision in (
                FIRST,
                SECOND,
            ):  # of a series that Prometheus has not seen yet the first sample is no increase
                promotion.calls(revision, 1)
            yield promotion
