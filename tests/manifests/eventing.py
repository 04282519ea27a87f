"""What Knative Eventing's webhook refuses, or takes in silence and ignores, beyond the CRDs."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .objects import Bundle, Fault, Object, dig, rows

GROUP = "eventing.knative.dev"
DIALECTS = frozenset({"exact", "prefix", "suffix", "all", "any", "not"})
CLASSES = frozenset({"MTChannelBasedBroker", "Kafka", "KafkaNamespaced", "RabbitMQBroker"})
EVENT_TYPE_ATTRIBUTES = frozenset({"type", "source", "specversion", "id"})
_ISO_8601 = re.compile(r"P(?=.)(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?")
_ATTRIBUTE = re.compile(r"[a-z][a-z0-9]*")
# One field of a cron line: *, a number or name, a range, a list of them, each with a step.
_PART = r"(\*|\?|[A-Za-z0-9]+(-[A-Za-z0-9]+)?)(/\d+)?"
_CRON = re.compile(rf"({_PART}(,{_PART})*)( +{_PART}(,{_PART})*){{4,5}}")
_ALIAS = re.compile(r"@(yearly|annually|monthly|weekly|daily|midnight|hourly|every .+)")
_SENDERS = ("PingSource", "SinkBinding", "KafkaSource", "ApiServerSource", "ContainerSource")


def faults(bundle: Bundle) -> Iterator[Fault]:
    flags = bundle.features.get("eventing", frozenset())
    for one in bundle.objects:
        if one.group not in (GROUP, "sources.knative.dev", "flows.knative.dev", "messaging.knative.dev"):
            continue
        for at, delivery in _deliveries(one):
            yield from _delivery(one, at, delivery, flags)
        if one.kind in _SENDERS:
            yield from _destination(one, "spec.sink", one.get("spec", "sink"))
        check = _CHECKS.get(one.kind)
        if check:
            yield from check(one)
        if one.kind == "EventPolicy" and "authentication-oidc" not in flags:
            yield one.fault("kind", "is refused until authentication-oidc is on in config-features of knative-eventing")


def _deliveries(one: Object) -> Iterator[tuple[str, Any]]:
    if one.get("spec", "delivery") is not None:
        yield "spec.delivery", one.get("spec", "delivery")
    for name in ("steps", "branches"):
        for n, step in rows(one.get("spec", name)):
            if "delivery" in step:
                yield f"spec.{name}[{n}].delivery", step["delivery"]


def _delivery(one: Object, at: str, delivery: Any, flags: frozenset[str]) -> Iterator[Fault]:
    if dig(delivery, "backoffPolicy") not in (None, "linear", "exponential"):
        yield one.fault(f"{at}.backoffPolicy", "must be linear or exponential")
    for name in ("backoffDelay", "timeout", "retryAfterMax"):
        value = dig(delivery, name)
        if value is not None and not _ISO_8601.fullmatch(str(value)):
            yield one.fault(f"{at}.{name}", "is no ISO 8601 duration such as PT0.2S")
    if bool(dig(delivery, "backoffPolicy")) != bool(dig(delivery, "backoffDelay")):
        yield one.fault(f"{at}.backoffDelay", "backoffPolicy and backoffDelay have an effect only together")
    if dig(delivery, "retryAfterMax") is not None and "delivery-retryafter" not in flags:
        yield one.fault(f"{at}.retryAfterMax", "needs delivery-retryafter in config-features of knative-eventing")
    if dig(delivery, "deadLetterSink") is not None:
        yield from _destination(one, f"{at}.deadLetterSink", dig(delivery, "deadLetterSink"))


def _destination(one: Object, at: str, value: Any) -> Iterator[Fault]:
    ref, uri = dig(value, "ref"), dig(value, "uri")
    if ref is None and not re.match(r"https?://", str(uri or "")):
        yield one.fault(at, "needs a ref, or an absolute uri")
    for name in ("apiVersion", "kind", "name") if ref is not None else ():
        if not dig(ref, name):
            yield one.fault(f"{at}.ref.{name}", "is required")
    if ref is not None and uri is not None and not str(uri).startswith("/"):
        yield one.fault(f"{at}.uri", "beside a ref it is a path, and begins with a slash")


def _broker(one: Object) -> Iterator[Fault]:
    named = one.annotations().get("eventing.knative.dev/broker.class")
    if named is not None and named not in CLASSES:
        yield one.fault("metadata.annotations[eventing.knative.dev/broker.class]", "no such class of Broker")


def _trigger(one: Object) -> Iterator[Fault]:
    if not one.get("spec", "broker") and not one.get("spec", "brokerRef"):
        yield one.fault("spec.broker", "is required")
    if one.get("spec", "subscriber") is None:
        yield one.fault("spec.subscriber", "is required")
    else:
        yield from _destination(one, "spec.subscriber", one.get("spec", "subscriber"))
    if one.get("spec", "filter") is not None:
        yield one.fault("spec.filter", "is the older way; filters replaces it, and both together are ambiguous")
    for n, entry in rows(one.get("spec", "filters")):
        yield from _filter(one, f"spec.filters[{n}]", entry)
    order = one.annotations().get("kafka.eventing.knative.dev/delivery.order")
    if order not in (None, "ordered", "unordered"):
        yield one.fault("metadata.annotations[kafka.eventing.knative.dev/delivery.order]", "is ordered or unordered")


def _filter(one: Object, at: str, entry: Mapping[str, Any]) -> Iterator[Fault]:
    if len(entry) != 1:
        yield one.fault(at, "a filter has exactly one dialect; several are several filters")
    for dialect, content in entry.items():
        here = f"{at}.{dialect}"
        if dialect not in DIALECTS:
            yield one.fault(here, "a dialect that the local broker does not run")
        elif dialect == "not" and isinstance(content, Mapping):
            yield from _filter(one, here, content)
        elif dialect in ("all", "any"):
            for n, inner in rows(content):
                yield from _filter(one, f"{here}[{n}]", inner)
        elif isinstance(content, Mapping):
            for name, value in content.items():
                if not _ATTRIBUTE.fullmatch(str(name)):
                    yield one.fault(f"{here}.{name}", "attributes have lower-case letters and digits only")
                elif not value:
                    yield one.fault(f"{here}.{name}", "an empty value matches nothing")


def _ping(one: Object) -> Iterator[Fault]:
    schedule = str(one.get("spec", "schedule") or "")
    if not _CRON.fullmatch(schedule) and not _ALIAS.fullmatch(schedule):
        yield one.fault("spec.schedule", "is no cron line of five or six fields")
    if one.get("spec", "data") is not None and one.get("spec", "dataBase64") is not None:
        yield one.fault("spec.dataBase64", "data is set too")


def _event_type(one: Object) -> Iterator[Fault]:
    if one.version.endswith("/v1beta3"):
        named = {row.get("name") for _, row in rows(one.get("spec", "attributes"))}
        for missing in sorted(EVENT_TYPE_ATTRIBUTES - named):
            yield one.fault("spec.attributes", f"the attribute {missing} is missing")
    elif not one.get("spec", "type"):
        yield one.fault("spec.type", "is required")


def _binding(one: Object) -> Iterator[Fault]:
    subject = one.map("spec", "subject")
    if bool(subject.get("name")) == bool(subject.get("selector")):
        yield one.fault("spec.subject", "needs either a name or a selector")


def _kafka(one: Object) -> Iterator[Fault]:
    for name in ("bootstrapServers", "topics"):
        if not one.get("spec", name):
            yield one.fault(f"spec.{name}", "is required")
    if one.get("spec", "ordering") not in (None, "ordered", "unordered"):
        yield one.fault("spec.ordering", "is ordered or unordered")


def _policy(one: Object) -> Iterator[Fault]:
    for n, entry in rows(one.get("spec", "from")):
        if bool(entry.get("ref")) == bool(entry.get("sub")):
            yield one.fault(f"spec.from[{n}]", "needs either a ref or a sub")
    for n, entry in rows(one.get("spec", "filters")):
        yield from _filter(one, f"spec.filters[{n}]", entry)


_CHECKS = {
    "Broker": _broker,
    "Trigger": _trigger,
    "PingSource": _ping,
    "EventType": _event_type,
    "SinkBinding": _binding,
    "KafkaSource": _kafka,
    "EventPolicy": _policy,
}
