"""The gateway's rules look away from bodies that are content, and from no other."""

import re

import pytest

from tests.fakes.functions import serving
from tests.manifests import build

PLUGIN = next(
    build.build(build.ROOT / "kustomize" / "combinations" / "production-waf").of("WasmPlugin", "extensions.istio.io")
)
DIRECTIVES: list[str] = PLUGIN.get("spec", "pluginConfig", "directives_map", "llama-mapper")
UNSEEN = re.compile(next(found[1] for line in DIRECTIVES if (found := re.search(r'"@rx (.+?)" "id:10001', line))))
# Contracts whose bodies hold content, as OpenAPI names them; JobRequest is the same as OrchestrateRequest.
WITH_CONTENT = {"OrchestrateRequest", "BatchRequest", "ModerationRequest"}


def test_the_plugin_is_where_the_gateway_is() -> None:
    assert PLUGIN.namespace == "istio-system"
    assert PLUGIN.get("spec", "selector", "matchLabels") == {"istio": "ingressgateway"}


async def test_bodies_of_content_and_no_others_are_passed_over() -> None:
    async with serving("orchestrate") as (client, module):
        paths = (await client.get("/openapi.json")).json()["paths"]
        await module.client.aclose()
    taken = {
        path
        for path, operations in paths.items()
        for operation in operations.values()
        if str(operation.get("requestBody", {}).get("content", {})).rpartition("/")[2].strip("'}") in WITH_CONTENT
    }
    assert taken >= {"/api/v1/orchestrate", "/api/v1/orchestrate/batch"}
    assert {path for path in paths if UNSEEN.search(path)} == taken


@pytest.mark.parametrize(
    "path", ["/api/v1/orchestrated", "/api/v1/detectors", "/x/api/v1/orchestrate", "/api/v1/jobs/1"]
)
def test_a_path_beside_them_is_looked_at(path: str) -> None:
    assert UNSEEN.search(path) is None


def test_no_host_goes_past_the_rules() -> None:
    """The plugin compares the whole Host header: with a map of hosts, "name:443" is another one than "name"."""
    config = PLUGIN.get("spec", "pluginConfig")
    assert config["default_directives"] == "llama-mapper"
    assert "per_authority_directives" not in config


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("llama-mapper.example.com", True),
        ("llama-mapper.example.com:443", True),
        ("llama-mapper.example.com.evil", False),
    ],
)
def test_the_exclusion_is_for_our_host(host: str, ours: bool) -> None:
    chained = next(line for line in DIRECTIVES if "id:10001" in line).splitlines()[1]
    pattern = re.search(r'"@rx (.+?)" "t:none', chained)
    assert pattern is not None
    assert bool(re.search(pattern[1], host)) is ours


def test_the_exclusion_comes_before_the_rules_it_is_for() -> None:
    own = next(n for n, line in enumerate(DIRECTIVES) if "id:10001" in line)
    rules = DIRECTIVES.index("Include @owasp_crs/*.conf")
    assert own < rules == len(DIRECTIVES) - 1
    assert DIRECTIVES.index("SecRuleEngine On") > DIRECTIVES.index("Include @recommended-conf")
