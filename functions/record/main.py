"""Entry of record: the broker posts events and dead letters here, the console and the CLI ask."""

import atexit

from llama_mapper.chassis.function import as_function
from llama_mapper.chassis.settings import load

from .adapters import ClickHouse
from .server import create_server
from .settings import Settings

settings = load(Settings)
store = ClickHouse(settings.dsn.get_secret_value(), retention_days=settings.retention_days, cluster=settings.cluster)
atexit.register(store.close)
app = create_server(store, max_bytes=settings.max_bytes, log_level=settings.log_level)
handle = as_function(app)
