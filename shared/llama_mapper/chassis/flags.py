"""Feature flags by OpenFeature, from a flagd file that is read again when it changes.

What is asked with a flag is the tenant, the route and the priority: never content, never a person. A flag that cannot
be evaluated has its default, and ``flags.default`` counts it; a file that was good and is broken now leaves the last
good one.
The provider takes a quarter of a second to import, so a thread does that; until then the defaults hold.
"""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_mapper.contracts.flags import DEFAULTS, FlagName

from . import metrics
from .logs import get_logger

if TYPE_CHECKING:
    from openfeature.client import OpenFeatureClient

log = get_logger(__name__)

POLL_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """``reason`` is OpenFeature's: STATIC, TARGETING_MATCH, DISABLED, DEFAULT, ERROR."""

    value: bool
    reason: str
    variant: str | None = None


class Flags:
    """*path* is None where there are no flags: everything has its default, and nothing is imported."""

    def __init__(
        self, path: Path | None, poll_seconds: float = POLL_SECONDS, defaults: Mapping[FlagName, bool] = DEFAULTS
    ) -> None:
        self._path, self._poll_seconds, self._defaults = path, poll_seconds, defaults
        self._client: OpenFeatureClient | None = None
        self._provider: Any = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to read the file, in a thread, if that has not begun."""
        if self._path is not None and self._thread is None:
            self._thread = threading.Thread(target=self.load, name="flags", daemon=True)
            self._thread.start()

    def load(self) -> None:
        """Read the file now, and again whenever it changes."""
        from openfeature import api
        from openfeature.contrib.provider.flagd import FlagdProvider
        from openfeature.contrib.provider.flagd.config import ResolverType
        from openfeature.exception import OpenFeatureError

        # It logs every look at a file that is not there, with a traceback.
        logging.getLogger("openfeature").setLevel(logging.CRITICAL)
        self._provider = FlagdProvider(
            resolver_type=ResolverType.FILE,
            offline_flag_source_path=str(self._path),
            deadline_ms=round(self._poll_seconds * 1000),
        )
        domain = f"llama-mapper-{id(self)}"  # of its own: OpenFeature keeps providers for the whole process
        try:
            api.set_provider_and_wait(self._provider, domain)
        except OpenFeatureError as error:
            log.warning("flags.unread", extra={"error": type(error).__name__})
        self._client = api.get_client(domain)

    def close(self) -> None:
        """Look at the file no more."""
        if self._provider is not None:
            self._provider.shutdown()

    @property
    def status(self) -> str:
        """The provider's: READY, NOT_READY, or ERROR where the file cannot be read now."""
        return str(self._client.get_provider_status().value) if self._client else "NOT_READY"

    def on(self, name: FlagName, tenant: str, route: str = "", priority: str = "") -> bool:
        return self.evaluate(name, tenant, route, priority).value

    def evaluate(self, name: FlagName, tenant: str, route: str = "", priority: str = "") -> Evaluation:
        """What *name* is for *tenant*; its default where the file does not say, or cannot be read."""
        default = self._defaults[name]
        if self._client is None:
            return Evaluation(default, "DEFAULT")
        from openfeature.evaluation_context import EvaluationContext

        said = {"tenant": tenant, "route": route, "priority": priority}
        details = self._client.get_boolean_details(name, default, EvaluationContext(tenant, said))
        if details.error_code is not None:
            metrics.FALLBACKS.labels("flags.default").inc()
            return Evaluation(default, "ERROR")
        if details.value != default:
            metrics.FLAGS.labels(name).inc()
        return Evaluation(details.value, str(details.reason or "DEFAULT"), details.variant)
