"""Envoy as Knative's gateway: one listener, and weighted clusters that follow a Route's traffic without a restart."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.fakes.free_ports import free_port

BINARY = Path(sys.executable).with_name("envoy")
PATIENCE_SECONDS = 20
_TYPES = "type.googleapis.com/envoy.extensions.filters"


class Envoy:
    """*ports* of the revisions' servers, by name. The file of routes is replaced as a whole, which Envoy looks for."""

    def __init__(self, folder: Path, ports: Mapping[str, int]) -> None:
        self._routes, self._folder = folder / "routes.yaml", folder
        self._ports, self._port, self._admin = ports, free_port(), free_port()
        self._version = 0
        self._shares: dict[str, int] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def follow(self, traffic: Sequence[Mapping[str, Any]]) -> None:
        """Write that the calls are to be split as *traffic* says; what is split so already is no news to Envoy."""
        shares = {row["revisionName"]: int(row["percent"]) for row in traffic if row["percent"]}
        if shares == self._shares:
            return
        self._shares = shares
        weighted = [{"name": name, "weight": share} for name, share in shares.items()]
        route = {"match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters": weighted}, "timeout": "30s"}}
        host = {"name": "all", "domains": ["*"], "routes": [route]}
        self._version += 1
        document = {
            "version_info": str(self._version),
            "resources": [
                {
                    "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
                    "name": "predictor",
                    "virtual_hosts": [host],
                }
            ],
        }
        part = self._routes.with_suffix(".part")
        part.write_text(yaml.safe_dump(document), "utf-8")
        part.replace(self._routes)

    def has_it(self) -> None:
        """Ask Envoy until it uses the routes written last."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            try:
                said = httpx.get(f"http://127.0.0.1:{self._admin}/config_dump?resource=dynamic_route_configs").json()
            except httpx.HTTPError:
                continue
            if any(one.get("version_info") == str(self._version) for one in said.get("configs", ())):
                return
        raise AssertionError("Envoy did not take the routes")

    def write(self) -> Path:
        """The configuration that does not change."""
        source = {"path_config_source": {"path": str(self._routes)}, "resource_api_version": "V3"}
        manager = {
            "@type": f"{_TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "predictor",
            "rds": {"route_config_name": "predictor", "config_source": source},
            "http_filters": [
                {
                    "name": "envoy.filters.http.router",
                    "typed_config": {"@type": f"{_TYPES}.http.router.v3.Router"},
                }
            ],
        }
        filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
        document = {
            "node": {"id": "gateway", "cluster": "gateway"},
            "admin": {"address": _address(self._admin)},
            "static_resources": {
                "listeners": [
                    {"name": "predictor", "address": _address(self._port), "filter_chains": [{"filters": filters}]}
                ],
                "clusters": [_cluster(name, port) for name, port in self._ports.items()],
            },
        }
        path = self._folder / "envoy.yaml"
        path.write_text(yaml.safe_dump(document), "utf-8")
        return path


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _cluster(name: str, port: int) -> dict[str, Any]:
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}]
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": endpoints},
    }


@contextmanager
def running(folder: Path, ports: Mapping[str, int], traffic: Sequence[Mapping[str, Any]]) -> Iterator[Envoy]:
    envoy = Envoy(folder, ports)
    envoy.follow(traffic)
    command = [str(BINARY), "-c", str(envoy.write()), "--concurrency", "1", "--disable-hot-restart", "-l", "error"]
    with (folder / "envoy.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        envoy.has_it()
        yield envoy
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_SECONDS)
