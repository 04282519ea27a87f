"""What the feature flags switch: parts of an orchestrator, for one tenant, route and priority."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from llama_mapper.contracts.flags import FlagName
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.orchestration import Priority

from .shedding import Shedding


class Switches(Protocol):
    def on(self, name: FlagName, tenant: str, route: str = "", priority: str = "") -> bool: ...


class AllOn:
    """No flags: everything is as the settings say."""

    def on(self, name: FlagName, tenant: str, route: str = "", priority: str = "") -> bool:
        return True


class Roomy(Shedding):
    """Refuses nobody, and learns nothing."""

    @contextmanager
    def slot(self, tenant_id: TenantId, priority: Priority, deadline_seconds: float) -> Iterator[None]:
        yield
