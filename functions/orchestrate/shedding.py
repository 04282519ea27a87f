"""How much is judged at once: a limit that follows the deadlines, and what is refused first when it is reached.

The limit is AIMD as in TCP (Chiu and Jain 1989) and Netflix's concurrency-limits: answers in time add to it while it is
used, one that needs nearly all its deadline takes a tenth. Nothing waits in a queue: who would wait past its deadline
had better know at once. Each priority has a share of the limit, so that the unimportant is refused while the important
still passes (Google SRE, "Handling Overload": criticality), and each tenant one, so that none fills the house alone.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from llama_mapper.chassis import metrics
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.orchestration import Priority
from llama_mapper.contracts.problems import RateLimited, Unavailable

SHARES: dict[Priority, float] = {"low": 0.5, "normal": 0.8, "high": 0.95, "critical": 1.0}
SMALLEST, LARGEST = 4, 512
BACKOFF = 0.9
LATE_SHARE = 0.9
"""Of the deadline: whoever needs more was late, though its detectors were given up in time to answer at all."""
RETRY_SECONDS = 1


class Shedding:
    """Of one process. *start* is the first limit, *tenant_share* what one tenant may have of it."""

    def __init__(
        self,
        start: int = 64,
        tenant_share: float = 0.75,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.limit = float(start)
        self._tenant_share = tenant_share
        self._clock = clock
        self._tenants: Counter[TenantId] = Counter()
        self._under_way = 0

    @contextmanager
    def slot(self, tenant_id: TenantId, priority: Priority, deadline_seconds: float) -> Iterator[None]:
        """Work inside takes one place; how long it took against *deadline_seconds* moves the limit.

        Raises:
            RateLimited: this tenant has as much under way as one may.
            Unavailable: the house is full for this priority.
        """
        self._enter(tenant_id, priority)
        started, busy = self._clock(), self._under_way
        try:
            yield
        finally:
            self._leave(tenant_id)
            self._learn(self._clock() - started > LATE_SHARE * deadline_seconds, busy)

    def _enter(self, tenant_id: TenantId, priority: Priority) -> None:
        if self._under_way >= max(1.0, self.limit * SHARES[priority]):
            metrics.SHED.labels(priority, "full").inc()
            raise Unavailable(f"too much work for priority {priority}", retry_after_seconds=RETRY_SECONDS)
        if self._tenants[tenant_id] >= max(1.0, self.limit * self._tenant_share):
            metrics.SHED.labels(priority, "tenant").inc()
            raise RateLimited("too many requests of this tenant at once", retry_after_seconds=RETRY_SECONDS)
        self._tenants[tenant_id] += 1
        self._under_way += 1

    def _leave(self, tenant_id: TenantId) -> None:
        self._under_way -= 1
        self._tenants[tenant_id] -= 1
        if not self._tenants[tenant_id]:
            del self._tenants[tenant_id]  # tenants come and go; the process stays

    def _learn(self, late: bool, busy: int) -> None:
        if late:
            self.limit = max(float(SMALLEST), self.limit * BACKOFF)
        elif busy * 2 >= self.limit:  # a limit that nobody comes near has proven nothing
            self.limit = min(float(LARGEST), self.limit + 1)
        metrics.CONCURRENCY.set(self.limit)
