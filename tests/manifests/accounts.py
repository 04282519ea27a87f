"""The API server's token is mounted where a role is bound to the account, and nowhere else.

A token that nobody uses is a way in for whoever gets into the pod; a role without a token is a step that fails.
"""

from collections.abc import Iterator

from .objects import Bundle, Fault, rows
from .parties import ours


def faults(bundle: Bundle) -> Iterator[Fault]:
    bound = {
        str(row.get("name"))
        for kind in ("RoleBinding", "ClusterRoleBinding")
        for binding in bundle.of(kind, "rbac.authorization.k8s.io")
        for _, row in rows(binding.get("subjects"))
        if row.get("kind") == "ServiceAccount"
    }
    for party in ours(bundle):
        account = bundle.find("ServiceAccount", "", party.account)
        if account is None or party.pod is None:
            continue
        said = party.pod.spec.get("automountServiceAccountToken")
        mounts = (account.get("automountServiceAccountToken") is not False) if said is None else said is not False
        if mounts and party.account not in bound:
            message = f"{party.name} mounts a token of the API server, though no role is bound to its account"
            yield account.fault("automountServiceAccountToken", message)
        if party.account in bound and not mounts:
            yield account.fault("automountServiceAccountToken", f"{party.name} has a role, but no token to use it with")
