"""Start the mapper: ``python -m mapper_serving`` (the transformer container of the InferenceService)."""

import uvicorn

from llama_mapper.chassis.settings import load
from llama_mapper.taxonomy import load as load_taxonomy

from .server import create_server
from .settings import Settings
from .wiring import wire


def main() -> None:
    settings = load(Settings)
    mapper, store = wire(settings, load_taxonomy())
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
