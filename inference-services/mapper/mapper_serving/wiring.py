"""Put the adapters into the mapper."""

import hashlib

import httpx
from purgatory import AsyncCircuitBreakerFactory
from pydantic import ValidationError

from llama_mapper import __version__
from llama_mapper.chassis import metrics
from llama_mapper.chassis.settings import SettingsError
from llama_mapper.contracts.confidence import Stack
from llama_mapper.contracts.mapping import Versions
from llama_mapper.contracts.prompt import PROMPT_VERSION
from llama_mapper.contracts.wire import Token, Wire
from llama_mapper.taxonomy import Taxonomy

from .adapters import MemoryStore, RedisStore
from .candidates import Questions, entries
from .chooser import Chooser
from .completion import CompletionServer
from .rules import Rules
from .service import Mapper
from .settings import Settings
from .vocabulary import Vocabularies, read_all

Store = MemoryStore | RedisStore


class AdapterCard(Wire):
    """``card.json`` beside an adapter's weights: what serving must know of it."""

    version: Token
    prompt: Token
    weights_sha256: str
    stack: Stack


def wire(settings: Settings, taxonomy: Taxonomy) -> tuple[Mapper, Store]:
    """Return the mapper and its store.

    Raises:
        VocabularyError: a rule map is broken.
        SettingsError: a predictor is set, but the adapter's card is missing or wrong, or its weights changed.
    """
    vocabularies = Vocabularies(read_all(settings.vocabularies))
    chooser = _chooser(settings, taxonomy, vocabularies) if settings.predictor_url else None
    # What the model answered holds for this taxonomy, this adapter and this prompt only.
    version = f"{taxonomy.version} {chooser.version}" if chooser else taxonomy.version
    store: Store = (
        RedisStore(settings.redis_url.get_secret_value(), version, settings.cache_seconds)
        if settings.redis_url
        else MemoryStore(version)
    )
    mapper = Mapper(
        rules=Rules(vocabularies, taxonomy),
        cache=store,
        reviews=store,
        versions=Versions(taxonomy=taxonomy.version, mapper=__version__),
        model=chooser,
        threshold=settings.threshold,
        on_fallback=lambda name: metrics.FALLBACKS.labels(name).inc(),
    )
    return mapper, store


def read_card(settings: Settings) -> AdapterCard:
    """Read the adapter's card and check that its weights are the ones it was written for.

    Raises:
        SettingsError: missing, unreadable, for another prompt, or another digest.
    """
    try:
        card = AdapterCard.model_validate_json((settings.adapter / "card.json").read_bytes())
        weights = (settings.adapter / "adapter_model.safetensors").read_bytes()
    except (OSError, ValidationError) as error:
        raise SettingsError(f"MAPPER_ADAPTER: no readable adapter there ({type(error).__name__})") from error
    if card.prompt != PROMPT_VERSION:
        raise SettingsError(f"MAPPER_ADAPTER: it was trained for another prompt than {PROMPT_VERSION}")
    if hashlib.sha256(weights).hexdigest() != card.weights_sha256:
        raise SettingsError("MAPPER_ADAPTER: the weights are not the ones of card.json")
    return card


def _chooser(settings: Settings, taxonomy: Taxonomy, vocabularies: Vocabularies) -> Chooser:
    card = read_card(settings)

    def build() -> Questions:
        from llama_mapper.taxonomy.embedding import Kept
        from llama_mapper.taxonomy.retrieval import Index

        return Questions(Index(entries(vocabularies.all, taxonomy), Kept(settings.vectors.expanduser())), vocabularies)

    assert settings.predictor_url
    server = CompletionServer(
        settings.predictor_url,
        settings.predictor_model,
        httpx.AsyncClient(trust_env=False),
        AsyncCircuitBreakerFactory(),
        settings.budget_seconds,
    )
    return Chooser(build, server, card.stack, taxonomy, card.version)
