"""Put policies together: where they come from, who answers for them, and what is served of them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx
from fastapi import FastAPI

from llama_mapper.chassis.settings import SettingsError

from ..entrance.gate import Gate
from ..settings import Settings
from .api import Trial, add_policies, no_store
from .bundle_replay import Recorded
from .bundle_watch import LivePolicy, PathSource, Source, StoredSource
from .bundles import Bundle
from .opa import OpaPolicy, opa_client
from .plugins import extended, installed
from .rego import RegoPolicy

if TYPE_CHECKING:
    from .bundle_store import BundleStore


def live_policy(settings: Settings) -> LivePolicy:
    """The policies in this process, or those of the OPA server that the settings name; looked at again as they say.

    Raises:
        SettingsError: a bundle is named and no store.
        Problem: there are no policies to start with.
    """
    return LivePolicy(_source(settings), _answering(settings), settings.policy_reload_seconds)


def serve_policies(
    app: FastAPI,
    settings: Settings,
    gate: Gate,
    live: LivePolicy,
    client: httpx.AsyncClient,
    trial: Trial | None = None,
) -> None:
    """Add the resources; *trial* makes policies that are tried and never in force, in process whoever answers else."""
    recorded = Recorded(settings.record_url, client) if settings.record_url else None
    address = settings.policy_store
    add_policies(app, gate, live, (lambda: _open(address)) if address else no_store, recorded, trial or _tried)


def _tried(bundle: Bundle) -> RegoPolicy:
    return RegoPolicy(extended(bundle, installed()))


def _source(settings: Settings) -> Source:
    if settings.policy_bundle is None:
        return PathSource(settings.policies)
    if settings.policy_store is None:
        raise SettingsError("ORCHESTRATION_POLICY_BUNDLE: names a bundle, and ORCHESTRATION_POLICY_STORE no store")
    return StoredSource(_open(settings.policy_store), settings.policy_bundle)


def _answering(settings: Settings) -> Callable[[Bundle], RegoPolicy]:
    url, seconds, plugins = settings.opa_url, settings.opa_timeout_seconds, installed()
    if url is None:
        return lambda bundle: RegoPolicy(extended(bundle, plugins))
    client = opa_client(url, seconds)
    return lambda bundle: OpaPolicy(extended(bundle, plugins), url, seconds, client)


def _open(address: str) -> "BundleStore":
    from .bundle_store import open_store  # a quarter of a second, which a folder does not need

    return open_store(address)
