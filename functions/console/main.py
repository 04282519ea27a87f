"""Entry of console: pages for people."""

import httpx

from llama_mapper.chassis.function import as_function
from llama_mapper.chassis.settings import load
from llama_mapper.taxonomy import load as load_taxonomy

from .adapters import Services
from .pages import create_console
from .settings import Settings

settings = load(Settings)
urls = {
    "orchestrate": str(settings.orchestrate_url),
    "analyze": str(settings.analyze_url),
    "mapper": str(settings.mapper_url),
    "record": str(settings.record_url),
}
services = Services(urls, settings.tenant, httpx.AsyncClient(), settings.timeout_seconds)
app = create_console(
    services,
    load_taxonomy(),
    tenant=settings.tenant,
    max_bytes=settings.max_bytes,
    log_level=settings.log_level,
)
handle = as_function(app)
