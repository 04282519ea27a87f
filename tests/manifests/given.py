"""What a set of manifests may name without bringing it: made by hand at the installation, or part of the cluster."""

from collections.abc import Mapping

SECRETS: Mapping[str, frozenset[str]] = {
    "clickhouse": frozenset({"dsn"}),
}
"""Secrets that the installer creates where no component does, with their keys; functions/README.md lists them."""

CLUSTER_ROLES = frozenset({"view", "edit", "admin", "cluster-admin"})

ADDRESSES = frozenset({"broker-ingress.knative-eventing", "kafka-broker-ingress.knative-eventing"})
"""SERVICE.NAMESPACE of what the cluster serves: the in-memory and the Kafka class's ingress of every Broker."""

OUTSIDE = frozenset({"clickhouse", "object-store"})
"""Stores that an overlay may keep outside of the cluster: rules for their pods then have none, and allow nothing."""

OBJECTS = frozenset(
    {
        ("ConfigMap", "knative-eventing", "kafka-broker-config"),
        ("ConfigMap", "knative-eventing", "config-br-default-channel"),
    }
)
"""(kind, namespace, name) of what Knative's own installation has."""
