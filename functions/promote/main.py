"""Entry of promote: a PingSource ticks, the broker brings evaluations."""

import httpx

from llama_mapper.chassis.events import Sink
from llama_mapper.chassis.function import as_function
from llama_mapper.chassis.settings import load
from llama_mapper.cluster.api import Cluster

from .adapters import OffTheLoop, Surroundings
from .judging import Rules
from .metrics import Prometheus
from .server import create_server
from .service import Gate
from .settings import Settings

settings = load(Settings)
client = httpx.AsyncClient(trust_env=False)
gate = Gate(
    cluster=OffTheLoop(lambda: Cluster.of_pod(settings.namespace)),
    measured=Prometheus(
        str(settings.prometheus_url), client, settings.latency_seconds, settings.prometheus_timeout_seconds
    ),
    outside=Surroundings(Sink(settings.sink_url, client), settings.gitops_path),
    rules=settings.rules or Rules(),
    history_seconds=settings.history_seconds,
)
app = create_server(gate, max_bytes=settings.max_bytes, log_level=settings.log_level)
handle = as_function(app)
