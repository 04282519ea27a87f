"""Who can call and be called: the pods of a set, and what stands around them in the cluster and outside of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .objects import Bundle, rows
from .pods import Pod, pods

# queue-proxy listens on 8012 (HTTP/1), 8013 (HTTP/2) and 8112 (TLS), and tells the autoscaler its figures on 9090.
QUEUE_PROXY = frozenset({"TCP/8012", "TCP/8013", "TCP/8112"})
MEASURED = "TCP/9090"


@dataclass(frozen=True, slots=True)
class Party:
    """A kind of pod, or something that has an address and is no pod of ours."""

    name: str
    namespace: str = ""
    """Empty for what is no pod at all."""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False, compare=False)
    account: str = "default"
    address: str = "10.1.0.1"
    knative: bool = False
    meshed: bool = False
    ports: frozenset[str] = frozenset()
    pod: Pod | None = field(default=None, hash=False, compare=False)


SERVING = Party("knative-serving", "knative-serving", {"app": "activator"})
EVENTING = Party("knative-eventing", "knative-eventing", {"app": "kafka-broker-dispatcher"})
GATEWAY = Party("the gateway", "istio-system", {"istio": "ingressgateway", "app": "istio-ingressgateway"})
ISTIOD = Party("istiod", "istio-system", {"app": "istiod"})
DNS = Party("kube-dns", "kube-system", {"k8s-app": "kube-dns"})
API_SERVER = Party("the API server", address="10.96.0.1")
INTERNET = Party("the Internet", address="198.51.100.1")
# Nobody calls or is called by the last ones: a policy that lets them is too wide.
AROUND = (SERVING, EVENTING, GATEWAY, ISTIOD, DNS, API_SERVER, INTERNET,
          Party("the rest of kube-system", "kube-system", {"k8s-app": "metrics-server"}),
          Party("another namespace", "another-namespace"),
          Party("the node's metadata service", address="169.254.169.254"))  # fmt: skip
# Made by a person when it is wanted, not by what is applied.
_RUNTIMES = frozenset({"ServingRuntime", "ClusterServingRuntime"})


def ours(bundle: Bundle) -> tuple[Party, ...]:
    """The pods of the set."""
    spaces = bundle.of("Namespace")
    meshed = any(one.map("metadata", "labels").get("istio-injection") == "enabled" for one in spaces)
    return tuple(_party(pod, meshed) for pod in pods(bundle) if pod.owner.kind not in _RUNTIMES)


def elsewhere(namespace: str) -> Party:
    """Anything in a namespace that is not ours."""
    known = (party for party in AROUND if party.namespace == namespace)
    return next(known, Party(namespace, namespace))


def _party(pod: Pod, meshed: bool) -> Party:
    owner = pod.owner
    account = pod.spec.get("serviceAccountName") or owner.get("spec", "serviceAccount")
    without = owner.annotations(*pod.at.split(".")[:-1]).get("sidecar.istio.io/inject")
    containers = [container for _, container in pod.containers()]
    return Party(
        pod.name,
        owner.namespace,
        pod.labels,
        str(account or "default"),
        knative="serving.knative.dev/service" in pod.labels,
        meshed=meshed and str(without).lower() != "false",
        ports=frozenset(
            f"{port.get('protocol', 'TCP')}/{port.get('containerPort')}"
            for container in containers
            for _, port in rows(container.get("ports"))
        ),
        pod=pod,
    )
