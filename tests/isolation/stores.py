"""Every place in which something is kept, whose it is, and what keeps tenants apart there.

A key of Redis, a table or a key's name in the code that stands nowhere here fails
``tests/integration/isolation/test_stores.py``.
"""

import re
from dataclasses import dataclass
from typing import Literal

Apart = Literal["named", "id", "hmac", "field", "shared"]
"""named: the tenant is in the name. id: the name is an unguessable id, and who it belongs to is checked when it is
read. hmac: the name is a keyed hash over the tenant. field: one of several in one key, each under its tenant. shared:
nothing of a tenant's stands there."""


@dataclass(frozen=True, slots=True)
class Place:
    """Keys of Redis that match *pattern*; ``{tenant}`` in it is a tenant's id."""

    pattern: str
    holds: str
    apart: Apart
    sealed: bool = False
    made: bool = True
    """Whether the front door makes such a key when two tenants have everything they can have."""

    @property
    def regex(self) -> re.Pattern[str]:
        escaped = re.escape(self.pattern).replace(r"\{tenant\}", r"(?P<tenant>[a-z0-9-]+|\*)")
        return re.compile(re.sub(r"\\\{[a-z_]+\\\}", r"[^:]+", escaped))

    @property
    def prefix(self) -> str:
        return self.pattern.partition("{")[0]


REDIS = (
    Place("identity:key:{id}", "an API key's HMAC, scopes and tenant", "id"),
    Place("identity:keys-of:{tenant}", "ids of the tenant's API keys", "named"),
    Place("identity:otp:{id}", "a key's second factor, sealed for its tenant", "id", sealed=True),
    Place("identity:otp-step:{id}", "which one-time code was the last", "id", made=False),
    Place("identity:otp-failures:{id}", "how many codes were wrong", "id", made=False),
    Place("identity:audit:{tenant}", "the audit log", "named"),
    Place("limits:{how}:{what}:address:{pseudonym}", "requests of one address, as a pseudonym", "shared", made=False),
    Place("limits:{how}:{what}:tenant:{tenant}", "requests of the tenant", "named", made=False),
    Place("limits:{how}:{what}:minute:{tenant}", "requests of the tenant", "named", made=False),
    Place("limits:{how}:{what}:day:{tenant}", "requests of the tenant today", "named", made=False),
    Place("limits:{how}:{what}:key:{id}", "requests of a key", "id", made=False),
    Place("limits:{how}:{what}:person:{pseudonym}", "requests of a person, as a pseudonym", "hmac", made=False),
    Place("orchestrate:idempotency:{hmac}", "an answer, for a second asking", "hmac", sealed=True),
    Place("orchestrate:judgement:{tenant}:{hmac}", "a judgement, for minutes", "named", sealed=True),
    Place("orchestrate:detectors:{tenant}:kept", "registered detectors with their keys", "named", sealed=True),
    Place("orchestrate:detectors:{tenant}:meanings", "hashes of what versions meant", "named"),
    Place("orchestrate:detectors:{tenant}:generation", "how often they changed", "named"),
    Place("orchestrate:tenant:{tenant}:versions", "versions of the tenant's configuration", "named"),
    Place("orchestrate:tenants:current", "the newest version of each tenant", "field"),
    Place("orchestrate:tenants:changed", "which tenants changed when", "field"),
    Place("orchestrate:tenants:counter", "how often any changed", "shared"),
    Place("orchestrate:jobs:job:{tenant}:{id}", "a job's state, and its callback's address sealed", "named"),
    Place("orchestrate:jobs:claim:{tenant}:{id}", "a job's content", "named", sealed=True, made=False),
    Place("orchestrate:jobs:result:{tenant}:{id}", "a job's answer", "named", sealed=True),
    Place("orchestrate:jobs:index:{tenant}", "ids of the tenant's jobs", "named"),
    Place("orchestrate:jobs:open:{tenant}", "ids of those that have not ended", "named", made=False),
    Place("orchestrate:jobs:queue:{priority}", "tenants' ids and jobs' ids, in turn", "field"),
    Place("orchestrate:jobs:callbacks:due", "tenants' ids and jobs' ids, by time", "field", made=False),
    Place("orchestrate:jobs:callbacks:tries:{tenant}:{id}", "how often it was tried", "named", made=False),
    Place("orchestrate:jobs:callbacks:dead:{tenant}", "callbacks given up", "named"),
    Place("orchestrate:webhook-secret:{tenant}", "what callbacks are signed with", "named", sealed=True),
    Place("orchestrate:outbox", "events while the broker is away, each with its tenant", "field", made=False),
    Place("orchestrate:outbox:set-aside", "events the broker refused", "field", made=False),
    Place("orchestrate:breaker:{name}", "whether a service or detector is asked", "shared", made=False),
    Place("orchestrate:breaker:{name}:failures", "how often in a row it failed", "shared", made=False),
    Place("orchestrate:health:{name}:turn", "which replica probes now", "shared", made=False),
    Place("orchestrate:health:{name}", "how a configured detector is", "shared", made=False),
    Place("mapper:answer:{hash}", "what the model said of a vendor's label; the same for all", "shared", made=False),
    Place("mapper:budget:{what}:{month}:{tenant}", "what the tenant's answers cost", "named", made=False),
    Place("mapper:reviews:waiting", "labels to review, under their tenant", "field"),
    Place("mapper:reviews:decided", "decisions, under their tenant or `*`", "field"),
    Place("mapper:reviews:counts:{tenant}", "how often labels came", "named"),
    Place("mapper:reviews:seen:{tenant}", "when labels came last", "named"),
    Place("mapper:reviews:decided:{tenant}", "when labels were decided", "named"),
)

TABLES = {
    "requests": "requests and reports",
    "findings": "what was found",
    "analyses": "risk",
    "controls": "controls touched",
    "mappings": "vendors' labels mapped, and what that cost",
    "budget_alerts": "thresholds passed",
    "dead_letters": "events that could not be handled",
    "canary_steps": "shares of a model's candidate; the tenant is `platform`",
}
"""ClickHouse: every row has its tenant, first in the order; every question binds ``tenant_id``."""

OF_THE_MACHINE = frozenset({"schema_migrations"})

ELSEWHERE = (
    ("broker streams", "events: ids, labels, scores, spans", "each event has its `tenantid`; subscribers are our own"),
    ("broker dead letters", "the same, with the reason", "each has its `tenantid`; record's list is by tenant"),
    ("bundles and models (S3 or a folder)", "policies, adapters, their signatures", "nothing of a tenant's"),
    ("tokens in redacted text", "values, sealed (AES-SIV)", "bound to the tenant; kept nowhere here"),
    ("a replica's memory", "configurations, detectors, decisions, breakers", "by tenant in each map's key"),
)
