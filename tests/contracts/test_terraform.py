"""The Terraform module as far as it can be looked at without Terraform: syntax, names that lead somewhere, promises.

``terraform validate`` needs the provider, which no registry of ours has; docs/install.md says so.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "kustomize" / "terraform"
FILES = sorted(MODULE.glob("*.tf"))
_REFERENCE = re.compile(
    r"(?<![\w.\"/-])(?:(var|local|each|count)\.(\w+)|(data\.)?((?:aws|tls)_\w+)\.(\w+))(?![\w-]*\s*=[^=])"
)


def bare(value: Any) -> Any:
    """Text as it is written: the parser keeps quotes."""
    if isinstance(value, str):
        return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    if isinstance(value, dict):
        return {bare(key): bare(inner) for key, inner in value.items()}
    return [bare(inner) for inner in value] if isinstance(value, list) else value


@cache
def parsed() -> list[dict[str, Any]]:
    return [bare(hcl2.loads(path.read_text("utf-8"))) for path in FILES]


@cache
def blocks(kind: str) -> dict[str, Any]:
    """Every block of *kind* by its labels: ``aws_s3_bucket.this``."""
    found: dict[str, Any] = {}
    for document in parsed():
        for block in document.get(kind, []):
            for name, body in block.items():
                if kind in ("resource", "data"):
                    found |= {f"{name}.{own}": inner for own, inner in body.items() if own != "__is_block__"}
                elif name != "__is_block__":
                    found[name] = body
    return found


def code() -> str:
    """The module without comments."""
    return "\n".join(re.sub(r"^\s*#.*$", "", path.read_text("utf-8"), flags=re.MULTILINE) for path in FILES)


def test_every_name_that_is_used_is_declared() -> None:
    known = {
        "var": set(blocks("variable")),
        "local": set(blocks("locals")),
        "each": {"key", "value"},
        "count": {"index"},
    }
    assert missing(code(), known) == set()
    planted = "a = var.nmae\nb = aws_kms_key.that.arn\nc = data.aws_kms_key.this.arn"
    assert missing(planted, known) == {"var.nmae", "aws_kms_key.that", "data.aws_kms_key.this"}


def missing(text: str, known: dict[str, set[str]]) -> set[str]:
    found = set()
    for scope, name, data, kind, own in _REFERENCE.findall(text):
        if scope and name not in known[scope]:
            found.add(f"{scope}.{name}")
        if kind and f"{kind}.{own}" not in blocks("data" if data else "resource"):
            found.add(f"{data}{kind}.{own}")
    return found


@pytest.mark.parametrize("name", sorted(blocks("variable")))
def test_a_variable_says_what_it_is_and_is_used(name: str) -> None:
    variable = blocks("variable")[name]
    assert {"description", "type"} <= set(variable)
    assert re.search(rf"\bvar\.{name}\b", re.sub(rf'variable "{name}" {{.*?\n}}', "", code(), flags=re.DOTALL))


def test_every_number_and_network_is_checked() -> None:
    unchecked = {name for name, variable in blocks("variable").items() if "validation" not in variable}
    assert unchecked == {"namespace"}


@pytest.mark.parametrize("name", sorted(blocks("output")))
def test_an_output_is_explained(name: str) -> None:
    assert blocks("output")[name]["description"]


def test_providers_are_bounded_above() -> None:
    text = (MODULE / "versions.tf").read_text("utf-8")
    assert len(re.findall(r'version = ">= [0-9.]+, < [0-9.]+"', text)) == text.count("source  =")


def test_the_gpu_nodes_are_those_that_the_overlay_looks_for() -> None:
    patch = yaml.safe_load((ROOT / "kustomize" / "components" / "gpu" / "on-a-gpu.yaml").read_text("utf-8"))
    wanted = {row["path"]: row["value"] for row in patch}
    nodes = blocks("resource")["aws_eks_node_group.gpu"]
    (taint,) = nodes["taint"]
    assert nodes["labels"] == wanted["/spec/nodeSelector"]
    (toleration,) = wanted["/spec/tolerations"]
    assert (taint["key"], toleration["operator"]) == (toleration["key"], "Exists")
    assert (taint["effect"], toleration["effect"]) == ("NO_SCHEDULE", "NoSchedule")
    (scaling,) = nodes["scaling_config"]
    assert (scaling["min_size"], scaling["desired_size"]) == (0, 0)


def test_evidence_is_locked_and_everything_versioned_and_encrypted() -> None:
    found = blocks("resource")
    (rule,) = found["aws_s3_bucket_object_lock_configuration.evidence"]["rule"]
    assert rule["default_retention"][0]["mode"] == "COMPLIANCE"
    assert found["aws_s3_bucket_versioning.this"]["versioning_configuration"][0]["status"] == "Enabled"
    assert found["aws_kms_key.this"]["enable_key_rotation"] in (True, "true")
    assert "enableNetworkPolicy" in found["aws_eks_addon.network"]["configuration_values"]


def test_the_accounts_of_the_roles_exist_in_the_overlay() -> None:
    accounts = re.findall(r'"\$\{var\.namespace\}:([a-z-]+)"', (MODULE / "identity.tf").read_text("utf-8"))
    declared = {
        yaml.safe_load(path.read_text("utf-8"))["metadata"]["name"]
        for path in (ROOT / "inference-services" / "mapper").glob("*service-account.yaml")
    }
    assert accounts
    assert set(accounts) <= declared


def test_the_secrets_are_those_that_external_secrets_asks_for() -> None:
    folder = ROOT / "kustomize" / "components" / "external-secrets"
    asked = set(
        re.findall(r"key: llama-mapper/([a-z-]+)", "".join(p.read_text("utf-8") for p in folder.glob("*.yaml")))
    )
    made = set(re.findall(r'"([a-z-]+)"', str(re.search(r"toset\((\[[^\]]+\])\)\n\s+name\s+= \"\$", code()))))
    assert asked <= made
