"""The wiring: ``eventing/`` as a cluster would apply it, with filters to ask and addresses to send to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

from .filters import Filter, all_match
from .manifests import BrokerManifest, DeliverySpec, Destination, TriggerManifest, documents, read, refuse

Resolve = Callable[[str], str | None]
"""Turns ``Kind/name`` into a base URL, or None where there is no such service."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """A Trigger with everything looked up."""

    namespace: str
    broker: str
    name: str
    filters: tuple[Filter, ...]
    subscriber: str
    delivery: DeliverySpec
    dead_letter_sink: str | None
    ordered: bool = False
    """Whether events of one ``partitionkey`` are delivered one after the other."""

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.broker}/{self.name}"

    def matches(self, attributes: Mapping[str, str]) -> bool:
        return all_match(self.filters, attributes)


Wiring = Mapping[tuple[str, str], tuple[Trigger, ...]]
"""The Triggers of each Broker, by (namespace, name)."""


def load(folder: Path, namespace: str, resolve: Resolve) -> Wiring:
    """Read the Brokers and Triggers of *folder*; *namespace* is theirs where the manifest leaves it to kustomize.

    Raises:
        WiringError: a file is missing or not YAML, a field is unknown or wrong, a name leads nowhere.
    """
    brokers: dict[tuple[str, str], tuple[Path, BrokerManifest]] = {}
    triggers: dict[tuple[str, str], tuple[Path, TriggerManifest]] = {}
    for file, document in documents(folder):
        if document.get("kind") == "Broker":
            broker = read(BrokerManifest, file, document)
            brokers[broker.metadata.namespace or namespace, broker.metadata.name] = (file, broker)
        elif document.get("kind") == "Trigger":
            trigger = read(TriggerManifest, file, document)
            key = (trigger.metadata.namespace or namespace, trigger.metadata.name)
            if key in triggers:
                refuse(file, "metadata.name", "another Trigger has that name")
            triggers[key] = (file, trigger)
    wiring: dict[tuple[str, str], tuple[Trigger, ...]] = dict.fromkeys(brokers, ())
    for (space, _), (file, trigger) in sorted(triggers.items()):
        owner = (space, trigger.spec.broker)
        if owner not in brokers:
            refuse(file, "spec.broker", "there is no such Broker in the namespace")
        wiring[owner] += (_resolved(file, space, trigger, *brokers[owner], resolve),)
    return wiring


def _resolved(
    file: Path, space: str, trigger: TriggerManifest, broker_file: Path, broker: BrokerManifest, resolve: Resolve
) -> Trigger:
    spec = trigger.spec
    delivery = spec.delivery or broker.spec.delivery
    # A Trigger's delivery replaces its Broker's as a whole, but for the sink, which is looked up in both.
    sink, sink_file = delivery.dead_letter_sink, file if spec.delivery else broker_file
    if sink is None:
        sink, sink_file = broker.spec.delivery.dead_letter_sink, broker_file
    return Trigger(
        namespace=space,
        broker=spec.broker,
        name=trigger.metadata.name,
        filters=spec.filters,
        subscriber=_url(spec.subscriber, file, "spec.subscriber", resolve),
        delivery=delivery,
        dead_letter_sink=None if sink is None else _url(sink, sink_file, "spec.delivery.deadLetterSink", resolve),
        ordered=trigger.metadata.annotations.order == "ordered",
    )


def _url(destination: Destination, file: Path, field: str, resolve: Resolve) -> str:
    if destination.ref is None:
        return str(destination.uri)
    base = resolve(f"{destination.ref.kind}/{destination.ref.name}")
    if base is None:
        refuse(file, f"{field}.ref", f"no address is known for {destination.ref.kind}/{destination.ref.name}")
    return urljoin(base.rstrip("/") + "/", destination.uri or "")
