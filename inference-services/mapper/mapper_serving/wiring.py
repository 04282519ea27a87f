"""Put the adapters into the mapper."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import httpx
from purgatory import AsyncCircuitBreakerFactory

from llama_mapper import __version__
from llama_mapper.chassis import metrics
from llama_mapper.chassis.events import Sink
from llama_mapper.chassis.settings import SettingsError
from llama_mapper.contracts.mapping import Versions
from llama_mapper.contracts.models import RANKER
from llama_mapper.taxonomy import Taxonomy

from .accounts import TenantAccounts, alert_to
from .adapters import MemoryStore, RedisStore
from .budgets import BudgetAccounts, Ledger, read_budgets
from .candidates import Questions, entries
from .card import read_card
from .chooser import Chooser
from .completion import CompletionServer
from .ledger import MemoryLedger, RedisLedger
from .prices import Busy, Meter, read_prices
from .review_memory import MemoryReviews
from .review_redis import RedisReviews
from .revisions import Revisions
from .rules import Rules
from .service import Mapper
from .settings import Settings
from .variants import Variant, Variants, VariantSetting
from .vocabulary import Vocabularies, read_all

if TYPE_CHECKING:
    from llama_mapper.taxonomy.retrieval import Index

Store = MemoryStore | RedisStore
T = TypeVar("T")


def wire(settings: Settings, taxonomy: Taxonomy) -> tuple[Mapper, Store]:
    """Return the mapper and its store.

    Raises:
        VocabularyError: a rule map is broken.
        SettingsError: a predictor is set, but its adapter is not the one that its card or its signature says.
    """
    vocabularies = Vocabularies(read_all(settings.vocabularies))
    # What the model answered holds for this taxonomy only; the adapter, which implies the prompt, is in each key.
    store: Store = (
        RedisStore(settings.redis_url.get_secret_value(), taxonomy.version, settings.cache_seconds)
        if settings.redis_url
        else MemoryStore(taxonomy.version)
    )
    mapper = Mapper(
        rules=Rules(vocabularies, taxonomy),
        cache=store,
        reviews=_reviews(settings),
        versions=Versions(taxonomy=taxonomy.version, mapper=__version__),
        model=_variants(settings, taxonomy, vocabularies),
        accounts=_accounts(settings),
        threshold=settings.threshold,
        on_fallback=_count_fallback,
    )
    return mapper, store


def _variants(settings: Settings, taxonomy: Taxonomy, vocabularies: Vocabularies) -> Variants | None:
    """The adapter versions, or the only one; None where no predictor is set."""
    served = settings.variants
    if not served and settings.predictor_url:
        alone = {"url": settings.predictor_url, "model": settings.predictor_model, "adapter": settings.adapter}
        served = (VariantSetting.model_validate(alone | {"share": 100}),)
    if not served:
        return None
    prices = read_prices(settings.prices)
    index = _once(lambda: _index(settings, taxonomy, vocabularies))
    revisions = Revisions({label.pillar for label in taxonomy.labels}, settings.threshold)
    busy = {one.url: Busy() for one in served}  # adapters of one server keep the same machine busy

    def answering(one: VariantSetting) -> Chooser:
        card = read_card(one.adapter, settings.trusted_keys)
        meter = Meter(prices, one.model, busy[one.url])

        def build() -> Questions:
            from llama_mapper.taxonomy.ranking import TreeRanker

            return Questions(index(), vocabularies, TreeRanker.read(index(), one.adapter / RANKER))

        return Chooser(build, _server(one, settings, revisions), card, taxonomy, meter, revisions)

    variants = [Variant(answering(one), one.share) for one in served]
    if len({variant.model.version for variant in variants}) < len(variants):
        raise SettingsError("MAPPER_VARIANTS: two of the adapters are the same version")
    return Variants(variants)


def _server(one: VariantSetting, settings: Settings, revisions: Revisions) -> CompletionServer:
    return CompletionServer(
        one.url,
        one.model,
        httpx.AsyncClient(trust_env=False),
        AsyncCircuitBreakerFactory(),  # its own: a version that fails must not open the others' breaker
        settings.budget_seconds,
        revisions=revisions,
    )


def _index(settings: Settings, taxonomy: Taxonomy, vocabularies: Vocabularies) -> "Index":
    from llama_mapper.taxonomy.embedding import Kept
    from llama_mapper.taxonomy.retrieval import Index

    return Index(entries(vocabularies.all, taxonomy), Kept(settings.vectors.expanduser()))


def _once(make: Callable[[], T]) -> Callable[[], T]:
    """Return *make* for several threads: the first makes, the others wait for it."""
    lock, made = threading.Lock(), list[T]()

    def get() -> T:
        with lock:
            if not made:
                made.append(make())
            return made[0]

    return get


def _reviews(settings: Settings) -> MemoryReviews | RedisReviews:
    if settings.redis_url is None:
        return MemoryReviews(settings.tenants)
    return RedisReviews(settings.redis_url.get_secret_value(), AsyncCircuitBreakerFactory(), settings.tenants)


def _accounts(settings: Settings) -> TenantAccounts:
    budgets = None
    if settings.budgets:
        ledger: Ledger = (
            RedisLedger(settings.redis_url.get_secret_value(), AsyncCircuitBreakerFactory())
            if settings.redis_url
            else MemoryLedger()
        )
        alert = alert_to(Sink(settings.sink_url, httpx.AsyncClient(trust_env=False)), settings.tenants)
        budgets = BudgetAccounts(read_budgets(settings.budgets), ledger, alert, _count_fallback)
    return TenantAccounts(settings.tenants, budgets)


def _count_fallback(name: str) -> None:
    metrics.FALLBACKS.labels(name).inc()
