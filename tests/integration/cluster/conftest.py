"""The real client against an API server in this process."""

from collections.abc import Iterator

import pytest

from llama_mapper.cluster.api import Cluster
from tests.fakes.kserve import KServe, cluster
from tests.fakes.kubernetes_api import ApiServer
from tests.fakes.kubernetes_http import serving
from tests.fakes.promotion import client_of


@pytest.fixture
def served() -> Iterator[tuple[ApiServer, KServe]]:
    api, controller = cluster()
    with serving(api):
        yield api, controller


@pytest.fixture
def api(served: tuple[ApiServer, KServe]) -> ApiServer:
    return served[0]


@pytest.fixture
def kserve(served: tuple[ApiServer, KServe]) -> KServe:
    return served[1]


@pytest.fixture
def client(api: ApiServer) -> Cluster:
    return client_of(api)
