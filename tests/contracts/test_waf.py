"""The rules of both edges look away from what is content, and from nothing else."""

import re

import pytest

from tests.fakes.functions import serving
from tests.manifests import build

PLUGIN = next(
    build.build(build.ROOT / "kustomize" / "combinations" / "production-waf").of("WasmPlugin", "extensions.istio.io")
)
DIRECTIVES: list[str] = PLUGIN.get("spec", "pluginConfig", "directives_map", "llama-mapper")
NGINX = (build.ROOT / "kustomize" / "components" / "waf" / "nginx" / "modsecurity.conf").read_text("utf-8")


def _paths(lines: list[str], rule: int) -> re.Pattern[str]:
    return re.compile(next(found[1] for line in lines if (found := re.search(rf'"@rx (.+?)" "id:{rule}', line))))


UNSEEN, ONE_FIELD = _paths(DIRECTIVES, 10001), _paths(DIRECTIVES, 10002)
SEVERAL = {"/api/v1/orchestrate/batch", "/api/v1/orchestrate/stream", "/v1/moderations"}
ONE = {"/api/v1/orchestrate", "/api/v1/jobs"}
RESTORING = "/api/v1/detokenize"  # one content too, served where there are keys
# Contracts whose bodies hold content, as OpenAPI names them; a stream's lines are no JSON body.
WITH_CONTENT = {"OrchestrateRequest", "BatchRequest", "ModerationRequest", "DetokenizeRequest"}


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
    assert taken | {"/api/v1/orchestrate/stream"} == SEVERAL | ONE | ({RESTORING} & set(paths))
    assert {path for path in paths if UNSEEN.search(path)} == SEVERAL
    assert {path for path in [*paths, RESTORING] if ONE_FIELD.search(path)} == ONE | {RESTORING}


async def test_every_method_that_is_served_may_pass() -> None:
    async with serving("orchestrate") as (client, module):
        paths = (await client.get("/openapi.json")).json()["paths"]
        await module.client.aclose()
    allowed = re.search(r"tx[.]allowed_methods=([A-Z ]+)", "".join(DIRECTIVES))
    assert allowed is not None
    assert {method.upper() for operations in paths.values() for method in operations} <= set(allowed[1].split())


@pytest.mark.parametrize("rule", ["10001", "10002", "10010", "10011", "10012", "900200", "900220"])
def test_both_edges_have_the_same_rules(rule: str) -> None:
    """But for the host, which nginx knows by its server_name."""
    ours = next(line for line in NGINX.splitlines() if f"id:{rule}," in line)
    mesh = next(line for line in DIRECTIVES if f"id:{rule}," in line)
    flat = re.sub(r'chain"\n.*"t:none,t:lowercase,', "", " ".join(mesh.split(" "))).replace("nolog, ", "nolog,")
    assert re.sub(r"\s+", " ", flat) == ours


def test_both_edges_block_at_the_same_level() -> None:
    mesh, ours = "".join(DIRECTIVES), NGINX
    for setting in ("inbound_anomaly_score_threshold=5", "paranoia_level=1", "SecRequestBodyLimit 1048576"):
        assert setting in mesh
        assert setting in ours
    assert "SecAuditEngine Off" in mesh
    assert "SecAuditEngine Off" in ours


@pytest.mark.parametrize(
    "path", ["/api/v1/orchestrated", "/api/v1/detectors", "/x/api/v1/orchestrate", "/api/v1/jobs/1"]
)
def test_a_path_beside_them_is_looked_at(path: str) -> None:
    assert UNSEEN.search(path) is None
    assert ONE_FIELD.search(path) is None


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
    for rule in ("id:10001", "id:10002"):
        chained = next(line for line in DIRECTIVES if rule in line).splitlines()[1]
        pattern = re.search(r'"@rx (.+?)" "t:none', chained)
        assert pattern is not None
        assert bool(re.search(pattern[1], host)) is ours


def test_the_exclusion_comes_before_the_rules_it_is_for() -> None:
    own = next(n for n, line in enumerate(DIRECTIVES) if "id:10001" in line)
    rules = DIRECTIVES.index("Include @owasp_crs/*.conf")
    assert own < rules == len(DIRECTIVES) - 1
    assert DIRECTIVES.index("SecRuleEngine On") > DIRECTIVES.index("Include @recommended-conf")
