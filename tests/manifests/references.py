"""Names that lead somewhere: to an object of the same set, or to one that the cluster is known to have."""

from collections.abc import Iterator, Mapping
from typing import Any

from . import given
from .objects import Bundle, Fault, Object, dig, rows
from .pods import Pod, pods

# Fields that hold a reference {apiVersion, kind, name}, by the kind that has them.
_REFERENCES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "Trigger": (("spec", "subscriber", "ref"), ("spec", "delivery", "deadLetterSink", "ref")),
    "Broker": (("spec", "delivery", "deadLetterSink", "ref"), ("spec", "config")),
    "PingSource": (("spec", "sink", "ref"),),
    "KafkaSource": (("spec", "sink", "ref"),),
    "SinkBinding": (("spec", "sink", "ref"), ("spec", "subject")),
    "EventType": (("spec", "reference"),),
    "DomainMapping": (("spec", "ref"),),
    "HorizontalPodAutoscaler": (("spec", "scaleTargetRef"),),
}


def faults(bundle: Bundle) -> Iterator[Fault]:
    for pod in pods(bundle):
        yield from _configuration(pod, bundle)
        yield from _account(pod, bundle)
        yield from _mounts(pod)
    for one in bundle.objects:
        for at in _REFERENCES.get(one.kind, ()):
            yield from _reference(one, ".".join(at), one.get(*at), bundle)
        if one.kind == "Trigger":
            yield from _broker(one, bundle)
        if one.kind == "EventPolicy":
            for side in ("from", "to"):
                for n, entry in rows(one.get("spec", side)):
                    yield from _reference(one, f"spec.{side}[{n}].ref", entry.get("ref"), bundle)
        if one.kind in ("RoleBinding", "ClusterRoleBinding"):
            yield from _binding(one, bundle)
    yield from _twice(bundle)


def _twice(bundle: Bundle) -> Iterator[Fault]:
    seen: set[tuple[str, str, str]] = set()
    for one in bundle.objects:
        key = (one.group, one.kind, f"{one.namespace}/{one.name}")
        if key in seen:
            yield one.fault("metadata.name", "stands twice in the set")
        seen.add(key)


def _reference(one: Object, at: str, ref: Any, bundle: Bundle) -> Iterator[Fault]:
    if not isinstance(ref, Mapping) or not ref.get("name"):
        return
    group = str(ref.get("apiVersion", "")).rpartition("/")[0]
    kind, name, namespace = str(ref.get("kind")), str(ref["name"]), ref.get("namespace")
    if namespace and namespace != one.namespace:
        if (kind, str(namespace), name) not in given.OBJECTS:
            yield one.fault(f"{at}.namespace", f"{kind}/{name} is looked for in another namespace")
    elif bundle.find(kind, group, name) is None:
        yield one.fault(f"{at}.name", f"there is no {kind} {name} of {group or 'v1'} in the set")


def _broker(one: Object, bundle: Bundle) -> Iterator[Fault]:
    named = one.get("spec", "broker")
    if named and bundle.find("Broker", "eventing.knative.dev", str(named)) is None:
        yield one.fault("spec.broker", f"there is no Broker {named} in the set")


def _binding(one: Object, bundle: Bundle) -> Iterator[Fault]:
    role, group = one.map("roleRef"), "rbac.authorization.k8s.io"
    name = str(role.get("name"))
    if bundle.find(str(role.get("kind")), group, name) is None and name not in given.CLUSTER_ROLES:
        yield one.fault("roleRef.name", f"there is no {role.get('kind')} {name} in the set")
    for n, subject in rows(one.get("subjects")):
        elsewhere = subject.get("namespace") not in (None, one.namespace) and one.kind == "RoleBinding"
        known = bundle.find("ServiceAccount", "", str(subject.get("name")))
        if subject.get("kind") == "ServiceAccount" and not elsewhere and known is None:
            yield one.fault(f"subjects[{n}].name", "there is no such ServiceAccount in the set")


def _account(pod: Pod, bundle: Bundle) -> Iterator[Fault]:
    named = pod.spec.get("serviceAccountName")
    if named and named != "default" and bundle.find("ServiceAccount", "", str(named)) is None:
        yield pod.owner.fault(f"{pod.at}.serviceAccountName", f"there is no ServiceAccount {named} in the set")


def _mounts(pod: Pod) -> Iterator[Fault]:
    volumes = {row.get("name") for _, row in rows(pod.spec.get("volumes"))}
    if pod.owner.kind == "StatefulSet":
        claims = pod.owner.get("spec", "volumeClaimTemplates")
        volumes |= {dig(row, "metadata", "name") for _, row in rows(claims)}
    for at, container in pod.containers():
        mounts = list(rows(container.get("volumeMounts")))
        for n, mount in mounts:
            if mount.get("name") not in volumes:
                yield pod.owner.fault(f"{at}.volumeMounts[{n}].name", "there is no such volume in the pod")
        paths = [mount.get("mountPath") for _, mount in mounts]
        if len(paths) != len(set(paths)):
            yield pod.owner.fault(f"{at}.volumeMounts", "a mountPath stands twice")


def _configuration(pod: Pod, bundle: Bundle) -> Iterator[Fault]:
    for at, kind, ref, key in _sources(pod):
        name = str(ref.get("name") or ref.get("secretName") or "")
        if ref.get("optional"):
            continue
        keys = _keys(bundle, kind, name)
        if keys is None:
            yield pod.owner.fault(at, f"there is no {kind} {name} in the set")
        elif key and keys and key not in keys:
            yield pod.owner.fault(at, f"the {kind} {name} has no key {key}")


def _sources(pod: Pod) -> Iterator[tuple[str, str, Mapping[str, Any], str | None]]:
    """Where the pod names a ConfigMap or a Secret: the path, the kind, the reference, the key where one is named."""
    kinds = (("configMap", "ConfigMap"), ("secret", "Secret"))
    for at, container in pod.containers():
        for n, row in rows(container.get("envFrom")):
            for short, kind in kinds:
                if isinstance(ref := row.get(f"{short}Ref"), Mapping):
                    yield f"{at}.envFrom[{n}].{short}Ref.name", kind, ref, None
        for n, row in rows(container.get("env")):
            for short, kind in kinds:
                if isinstance(ref := dig(row, "valueFrom", f"{short}KeyRef"), Mapping):
                    yield f"{at}.env[{n}].valueFrom.{short}KeyRef.name", kind, ref, str(ref.get("key"))
    for n, volume in rows(pod.spec.get("volumes")):
        parts = [(f"{pod.at}.volumes[{n}]", volume)]
        projected = dig(volume, "projected", "sources")
        parts += [(f"{pod.at}.volumes[{n}].projected.sources[{m}]", part) for m, part in rows(projected)]
        for at, part in parts:
            for short, kind in kinds:
                if isinstance(ref := part.get(short), Mapping):
                    items = list(rows(ref.get("items"))) or [(0, {})]
                    for _, item in items:
                        yield f"{at}.{short}", kind, ref, item.get("key")


def _keys(bundle: Bundle, kind: str, name: str) -> frozenset[str] | None:
    """The keys of a ConfigMap or Secret; none known is an empty set, no such object is None."""
    found = bundle.find(kind, "", name)
    if found is not None:
        return frozenset({*found.map("data"), *found.map("stringData"), *found.map("binaryData")})
    if kind != "Secret":
        return None
    for one in bundle.of("ExternalSecret", "external-secrets.io"):
        if (one.get("spec", "target", "name") or one.name) == name:
            return frozenset(str(row.get("secretKey")) for _, row in rows(one.get("spec", "data")))
    for one in bundle.of("Certificate", "cert-manager.io"):
        if one.get("spec", "secretName") == name:
            return frozenset({"tls.crt", "tls.key", "ca.crt"})
    return given.SECRETS.get(name)
