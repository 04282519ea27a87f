"""One look at each canary: read, judge, hold or take a step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from llama_mapper.cluster.errors import NotThere, Stale
from llama_mapper.cluster.services import Service
from llama_mapper.contracts.canaries import Calls, Canary, CanaryVerdict, Golden, Revisions, StepIntent
from llama_mapper.contracts.events import EvaluationCompleted
from llama_mapper.contracts.problems import Unavailable

from . import judging, measures
from .judging import Rules
from .knowing import hold
from .ports import Cluster, Measured, Outside
from .stepping import ATTEMPTS, Steps, done
from .steps import FULL, STEPS
from .words import said

LEAST_SECONDS = 15
"""Before that no scrape has seen the step."""
_JUDGED = set(measures.Golden.model_fields)


@dataclass(frozen=True, slots=True)
class Gate:
    cluster: Cluster
    measured: Measured
    outside: Outside
    rules: Rules
    history_seconds: int = 0

    async def look_at_all(self, now: datetime) -> Mapping[str, str]:
        """Look at every canary that is not over; what each came to, by name.

        Raises:
            ClusterError: the API server cannot be reached, or refuses.
            Unavailable: the broker does not take a step's event; the next look sends it.
        """
        running = [one for one in await self.cluster.canaries() if not one.over or one.status.intent]
        return {one.name: await self.look(one, now) for one in running}

    async def look(self, canary: Canary, now: datetime) -> str:
        """Look at one; where it changed meanwhile, read it and judge again."""
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._once(canary, now)
            except Stale:
                canary = await self.cluster.canary(canary.name)
        return await self._once(canary, now)

    async def evaluated(self, event: EvaluationCompleted, at: datetime, now: datetime) -> Sequence[str]:
        """Remember the golden scores in every running canary that they are about, and look at it; their names."""
        names = []
        for canary in await self.cluster.canaries():
            known = canary.status.golden
            if canary.over or canary.spec.adapter != (event.adapter or event.model):
                continue
            if known is None or known.at < at:
                golden = Golden.model_validate(event.model_dump(include=set(Golden.model_fields)) | {"at": at})
                status = canary.status.model_copy(update={"golden": golden})
                await self.look(await self.cluster.remember(canary, status), now)
                names.append(canary.name)
        return names

    async def _once(self, canary: Canary, now: datetime) -> str:
        try:
            service = await self.cluster.service(canary.spec.inference_service)
        except NotThere:
            return await self._hold(canary, now, "NoSuchService", "there is no such InferenceService")
        steps, intent, override = Steps(self.cluster, self.outside), canary.status.intent, canary.spec.override
        if intent and not _overtaken(canary, service, intent):
            return await steps.finish(canary, service, intent, now)
        if override == "rollback" and canary.status.phase == "Pending":
            status = canary.status.model_copy(update={"phase": "RolledBack"})
            return await hold(self.cluster, canary, now, "Asked", "it never began", status=status)
        if override:
            return await steps.take(canary, service, 0 if override == "rollback" else FULL, "Asked", now)
        if canary.status.phase == "Pending":
            return await self._start(canary, service, now)
        return await self._judge(canary, service, now)

    async def _start(self, canary: Canary, service: Service, now: datetime) -> str:
        if service.rolled_out is None:  # KServe ignores the share then: all calls would be the candidate's
            return await self._hold(canary, now, "FirstRollout", "no revision has had all calls yet")
        percent = service.percent or 0
        if service.storage_uri == canary.spec.storage_uri and 0 < percent < FULL:
            status = canary.status.model_copy(update={"phase": "Progressing", "percent": percent})
            return await hold(self.cluster, canary, now, "Adopted", "others started the candidate", status=status)
        return await Steps(self.cluster, self.outside).take(canary, service, STEPS[0], "Started", now)

    async def _judge(self, canary: Canary, service: Service, now: datetime) -> str:
        status, percent = canary.status, service.percent
        if percent is None or not 0 < percent < FULL or service.storage_uri != canary.spec.storage_uri:
            owners = ", ".join(service.owners) or "nobody"
            return await self._hold(canary, now, "TakenOver", f"others ended it; the field is owned by {owners}")
        if service.revisions is None:
            return await self._hold(canary, now, "NotReady", "the candidate's revision is not ready")
        if service.candidate_share != percent:
            return await self._hold(canary, now, "Settling", "the gateway does not split the calls so yet")
        if status.step_started_at is None or status.revisions != service.revisions or status.percent != percent:
            # Also where a person has set another share: it is the step now, and its calls count from here.
            began = {"step_started_at": now, "revisions": service.revisions, "percent": percent}
            begun = status.model_copy(update=began)
            return await hold(self.cluster, canary, now, "StepBegan", "calls count from now", status=begun)
        elapsed = int((now - status.step_started_at).total_seconds())
        if elapsed < LEAST_SECONDS:
            return await self._hold(canary, now, "Collecting", "the step has just begun")
        name, revisions = canary.spec.inference_service, service.revisions
        try:
            sides = await self.measured.sides(name, revisions, percent, elapsed)
            before = await self._before(name, revisions, elapsed)
        except Unavailable:
            return await self._hold(canary, now, "NoMetrics", "Prometheus does not answer")
        if not sides.stable.calls and not sides.candidate.calls:
            return await self._hold(canary, now, "Collecting", "the model has not been called yet")
        golden = canary.status.golden
        known = measures.Golden.model_validate(golden.model_dump(include=_JUDGED)) if golden else None
        verdict = judging.judge(
            sides.stable, sides.candidate, known, self.rules, percent=percent, elapsed_seconds=elapsed, before=before
        )
        calls = Calls(stable=sides.stable.calls, candidate=sides.candidate.calls)
        return await self._act(canary, service, verdict, said(verdict, calls, now), now)

    async def _before(self, name: str, revisions: Revisions, elapsed: int) -> measures.Counts | None:
        if not self.history_seconds:
            return None
        return await self.measured.before(name, revisions.stable, self.history_seconds, elapsed)

    async def _act(
        self, canary: Canary, service: Service, verdict: judging.Verdict, words: CanaryVerdict, now: datetime
    ) -> str:
        if verdict.decision == "hold":
            return await hold(self.cluster, canary, now, words.reason, "", verdict=words)
        if verdict.decision == "promote" and canary.spec.paused:
            return await hold(self.cluster, canary, now, "Paused", "it would go on", verdict=words)
        target = verdict.next_percent if verdict.decision == "promote" else 0
        return await Steps(self.cluster, self.outside).take(canary, service, target, words.reason, now, words)

    async def _hold(self, canary: Canary, now: datetime, reason: str, message: str) -> str:
        return await hold(self.cluster, canary, now, reason, message)


def _overtaken(canary: Canary, service: Service, intent: StepIntent) -> bool:
    """A patch that nobody has applied yet gives way to a person's word and to worse news."""
    waits = canary.spec.mode == "gitops" and not done(canary, service, intent)
    return waits and (intent.decision == "promote" or canary.spec.override is not None)
