"""Start the mapper: ``python -m mapper_serving`` (the transformer container of the InferenceService)."""

import uvicorn

from llama_mapper import __version__
from llama_mapper.chassis import metrics
from llama_mapper.chassis.settings import load
from llama_mapper.contracts.mapping import Versions
from llama_mapper.taxonomy import load as load_taxonomy

from .adapters import MemoryStore, RedisStore
from .rules import Rules
from .server import create_server
from .service import Mapper
from .settings import Settings
from .vocabulary import Vocabularies, read_all


def main() -> None:
    settings = load(Settings)
    taxonomy = load_taxonomy()
    store: MemoryStore | RedisStore
    if settings.redis_url:
        store = RedisStore(settings.redis_url.get_secret_value(), taxonomy.version, settings.cache_seconds)
    else:
        store = MemoryStore(taxonomy.version)
    mapper = Mapper(
        rules=Rules(Vocabularies(read_all(settings.vocabularies)), taxonomy),
        cache=store,
        reviews=store,
        versions=Versions(taxonomy=taxonomy.version, mapper=__version__),
        threshold=settings.threshold,
        on_fallback=lambda name: metrics.FALLBACKS.labels(name).inc(),
    )
    uvicorn.run(
        create_server(mapper, store, settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
