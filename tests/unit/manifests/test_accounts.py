"""Tokens of the API server: mounted where a role is bound, and nowhere else."""

from typing import Any

import pytest

from tests.manifests import accounts
from tests.manifests.objects import Bundle, Object

BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "RoleBinding",
    "metadata": {"name": "promote", "namespace": "llama-mapper"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "promote"},
    "subjects": [{"kind": "ServiceAccount", "name": "promote"}],
}


def bundle(account: dict[str, Any], pod: dict[str, Any], *, bound: bool) -> Bundle:
    meta = {"name": "promote", "namespace": "llama-mapper"}
    service = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": meta,
        "spec": {"template": {"spec": {"serviceAccountName": "promote", "containers": [], **pod}}},
    }
    bodies = [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta, **account}, service]
    return Bundle([Object(body) for body in (*bodies, *([BINDING] if bound else []))])


OFF: dict[str, Any] = {"automountServiceAccountToken": False}


@pytest.mark.parametrize(
    ("account", "pod", "bound", "right"),
    [
        ({}, {}, True, True),
        (OFF, {}, False, True),
        ({}, OFF, False, True),
        ({}, {}, False, False),
        (OFF, {}, True, False),
        (OFF, {"automountServiceAccountToken": True}, True, True),
        (OFF, {"automountServiceAccountToken": True}, False, False),
    ],
)
def test_a_token_is_mounted_exactly_where_a_role_is_bound(
    account: dict[str, Any], pod: dict[str, Any], *, bound: bool, right: bool
) -> None:
    found = list(accounts.faults(bundle(account, pod, bound=bound)))
    assert [fault.field for fault in found] == ([] if right else ["automountServiceAccountToken"])
