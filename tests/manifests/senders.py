"""Whoever is told a Broker's address has to show it a token, once the cluster asks for one."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .objects import Bundle, Fault, dig, rows
from .pods import Pod, pods

# /NAMESPACE/BROKER at an ingress that all Brokers share, or an ingress of the Broker's own.
_SHARED = re.compile(r"https?://[a-z-]*broker-ingress\.knative-eventing[a-z.]*(?::\d+)?/([a-z0-9-]+)/([a-z0-9-]+)/?")
_OWN = re.compile(r"https?://([a-z0-9-]+)-broker-ingress\.([a-z0-9-]+)[a-z.]*(?::\d+)?/?")
# Where the chassis reads it, and Knative's SinkBinding mounts it (llama_mapper.chassis.events.TOKEN).
FOLDER, FILE = "/oidc", "token"


def faults(bundle: Bundle) -> Iterator[Fault]:
    if "authentication-oidc" not in bundle.features.get("eventing", frozenset()):
        return
    for pod in pods(bundle):
        for at, container in pod.containers():
            for n, row in rows(container.get("env")):
                audience = audience_of(str(row.get("value") or ""))
                if audience and audience not in _audiences(pod, container):
                    message = f"needs a token for {audience} in {FOLDER}: the Broker refuses senders without one"
                    yield pod.owner.fault(f"{at}.env[{n}].value", message)


def audience_of(url: str) -> str:
    """What a Broker at *url* calls itself in tokens (knative.dev/eventing/pkg/auth GetAudience); empty for others."""
    if found := _SHARED.fullmatch(url):
        return f"eventing.knative.dev/broker/{found[1]}/{found[2]}"
    found = _OWN.fullmatch(url)
    return f"eventing.knative.dev/broker/{found[2]}/{found[1]}" if found else ""


def _audiences(pod: Pod, container: Mapping[str, Any]) -> set[str]:
    mounted = {row.get("name") for _, row in rows(container.get("volumeMounts")) if row.get("mountPath") == FOLDER}
    tokens = (
        dig(source, "serviceAccountToken")
        for _, volume in rows(pod.spec.get("volumes"))
        if volume.get("name") in mounted
        for _, source in rows(dig(volume, "projected", "sources"))
    )
    return {str(token.get("audience")) for token in tokens if token and token.get("path") == FILE}
