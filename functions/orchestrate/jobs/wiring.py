"""Everything that jobs consist of, where Redis and a keyset are configured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from llama_mapper.chassis.sealing import Sealer
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.identity.reaching import once_more

from ..entrance.entrance import STORE_SECONDS
from ..ports import Policies
from ..service import Orchestrator
from ..settings import Settings
from ..webhooks.callbacks import Hosts, Patience, Webhooks
from ..webhooks.sending import Sender
from ..webhooks.signing import WebhookSecrets
from ..webhooks.targets import Targets
from .store import Keeping, RedisJobs
from .worker import JobWorker, Pace


@dataclass(frozen=True, slots=True)
class Jobs:
    store: RedisJobs
    worker: JobWorker
    webhooks: Webhooks
    secrets: WebhookSecrets
    targets: Targets
    redis: "Redis"

    def start(self) -> None:
        """Run what waits, and send what is due; does nothing where that is under way."""
        self.worker.start()
        self.webhooks.start()

    async def aclose(self) -> None:
        await self.worker.aclose()
        await self.webhooks.aclose()
        await self.redis.aclose()


def wire_jobs(settings: Settings, orchestrator: Orchestrator) -> Jobs | None:
    """None where there is nowhere to keep a content sealed; the resources then say so."""
    if settings.redis_url is None or settings.keyset is None:
        return None
    url = settings.redis_url.get_secret_value()
    sealer = Sealer(settings.keyset.get_secret_value())
    redis = Redis.from_url(url, socket_timeout=STORE_SECONDS, socket_connect_timeout=STORE_SECONDS, retry=once_more())
    store = RedisJobs(
        redis,
        sealer,
        Keeping(settings.job_kept_seconds, settings.job_content_seconds, settings.jobs_per_tenant),
    )
    pace = Pace(
        concurrency=settings.job_concurrency,
        job_seconds=settings.deadline_async_seconds,
        attempts=settings.job_attempts,
        lease_seconds=settings.job_lease_seconds,
    )
    secrets = WebhookSecrets(redis, sealer)
    hosts: Mapping[str, Sequence[str]] = settings.callback_hosts
    targets = Targets(hosts, settings.callback_ports, loopback=settings.callback_loopback)
    patience = Patience(settings.callback_attempts, settings.callback_pause_seconds)
    return Jobs(
        store=store,
        worker=JobWorker(url, store, orchestrator, pace),
        webhooks=Webhooks(redis, store, secrets, targets, Sender(), patience, _hosts_by(orchestrator.policy)),
        secrets=secrets,
        targets=targets,
        redis=redis,
    )


def _hosts_by(policies: Policies) -> Hosts:
    """What a tenant's configuration says when a callback is sent; nothing for a tenant that is no more."""

    async def hosts(tenant_id: TenantId) -> Sequence[str] | None:
        tenancy = await (await policies.pinned(tenant_id)).tenancy(tenant_id)
        return tenancy.rules.callback_hosts if tenancy.known else ()

    return hosts
