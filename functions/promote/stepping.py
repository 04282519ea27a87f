"""Carry a step out: written down first, then done, then told.

A gate that dies in between, a broker that is away, or two gates at once end with the same step and the same event: each
look first finishes the intent that it finds, and everything in it can be done again.
"""

from dataclasses import dataclass
from datetime import datetime

from llama_mapper.chassis.logs import get_logger
from llama_mapper.cluster.errors import ClusterError, OwnedByOthers, Stale
from llama_mapper.cluster.services import Service
from llama_mapper.contracts.canaries import Canary, CanaryStatus, CanaryVerdict, StepIntent
from llama_mapper.contracts.events import CanaryStepped
from llama_mapper.contracts.identifiers import EventId

from .knowing import hold, keep
from .ports import Cluster, Outside
from .steps import FULL

log = get_logger(__name__)

ATTEMPTS = 3


class Outdated(ClusterError):
    """What was judged is not what is there any more."""


@dataclass(frozen=True, slots=True)
class Steps:
    cluster: Cluster
    outside: Outside

    async def take(
        self,
        canary: Canary,
        service: Service,
        target: int,
        reason: str,
        now: datetime,
        verdict: CanaryVerdict | None = None,
    ) -> str:
        """Give the candidate *target* percent of the calls; a dry run only asks the API server what it would say.

        Raises:
            ClusterError: the API server refuses; Stale where the canary has changed since it was read.
            Unavailable: the broker does not take the event; the next look sends it.
        """
        status = canary.status.model_copy(update={"last_verdict": verdict}) if verdict else canary.status
        if canary.spec.mode == "dry-run":
            return await self._try(canary, service, target, reason, now, status)
        forward = "start" if status.phase == "Pending" and target < FULL else "promote"
        intent = StepIntent(
            event_id=EventId(f"canary:{canary.uid}:{status.step + 1}"),
            from_percent=status.percent,
            to_percent=target,
            decision="rollback" if target == 0 else forward,
            reason=reason,
            generation=service.generation,
            calls=verdict.calls if verdict else None,
            at=now,
        )
        canary = await self.cluster.remember(canary, status.model_copy(update={"intent": intent}))
        return await self.finish(canary, service, intent, now)

    async def finish(self, canary: Canary, service: Service, intent: StepIntent, now: datetime) -> str:
        """Do what *intent* says, as far as it is not done."""
        if canary.spec.mode == "gitops":
            if not done(canary, service, intent):
                await self.outside.write_patch(canary, _field(intent.to_percent))
                message = f"a patch to {intent.to_percent} % is written; it counts when it is applied"
                return await hold(self.cluster, canary, now, "PatchWritten", message)
        else:
            try:
                await self._turn(canary, service, intent)
            except Outdated:
                status = canary.status.model_copy(update={"intent": None})
                return await hold(self.cluster, canary, now, "Changed", "it was changed; judged again", status=status)
        await self.outside.tell(intent.event_id, _event(canary, intent))
        phase = {0: "RolledBack", FULL: "Promoted"}.get(intent.to_percent, "Progressing")
        after = {"phase": phase, "percent": intent.to_percent, "step_started_at": None, "intent": None}
        status = canary.status.model_copy(update=after | {"step": canary.status.step + 1})
        message = f"{intent.from_percent} % to {intent.to_percent} %"
        await keep(self.cluster, canary, status, now, intent.reason, message)
        log.warning(
            "canary.stepped", extra={"count": intent.to_percent, "reason": intent.reason, "action": intent.decision}
        )
        return intent.reason

    async def _try(
        self, canary: Canary, service: Service, target: int, reason: str, now: datetime, status: CanaryStatus
    ) -> str:
        message = f"would give the candidate {target} %: {reason}"
        try:
            await self.cluster.turn(service, _field(target), canary.spec.storage_uri, force=False, dry_run=True)
        except OwnedByOthers as error:
            message += f"; the field is {error}"
        return await hold(self.cluster, canary, now, "DryRun", message, status=status)

    async def _turn(self, canary: Canary, service: Service, intent: StepIntent) -> None:
        """Change the InferenceService as judged. A newer status of it does not matter; a newer spec does.

        But for a person's word and for the way back: less for a candidate that does harm is never wrong.
        """
        anyway = intent.decision == "rollback" or canary.spec.override is not None
        for _ in range(ATTEMPTS):
            if done(canary, service, intent):
                return
            if service.generation != intent.generation and not anyway:
                raise Outdated
            try:
                await self._apply(canary, service, intent)
            except Stale:
                service = await self.cluster.service(service.name)
            else:
                return
        raise Stale("the InferenceService changes faster than it can be read")

    async def _apply(self, canary: Canary, service: Service, intent: StepIntent) -> None:
        uri, percent = canary.spec.storage_uri, _field(intent.to_percent)
        try:
            await self.cluster.turn(service, percent, uri, force=False, dry_run=False)
        except OwnedByOthers as error:
            # They own it, but what they wrote was judged or is undone for a reason: nobody's newer wish is overruled,
            # since generation and resourceVersion are still those of what was read.
            log.warning("canary.field_taken", extra={"reason": str(error)})
            await self.cluster.turn(service, percent, uri, force=True, dry_run=False)


def done(canary: Canary, service: Service, intent: StepIntent) -> bool:
    return service.percent == _field(intent.to_percent) and service.storage_uri == canary.spec.storage_uri


def _field(percent: int) -> int | None:
    """What ``canaryTrafficPercent`` becomes: a candidate with all calls has none."""
    return None if percent == FULL else percent


def _event(canary: Canary, intent: StepIntent) -> CanaryStepped:
    revisions, calls = canary.status.revisions, intent.calls
    return CanaryStepped(
        canary=canary.name,
        inference_service=canary.spec.inference_service,
        step=canary.status.step + 1,
        from_percent=intent.from_percent,
        to_percent=intent.to_percent,
        decision=intent.decision,
        reason=intent.reason,
        mode=canary.spec.mode,
        stable_revision=revisions.stable if revisions else None,
        candidate_revision=revisions.candidate if revisions else None,
        stable_calls=calls.stable if calls else None,
        candidate_calls=calls.candidate if calls else None,
    )
