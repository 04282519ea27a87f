"""Reading eventing/: what is wired, and what is refused with its file and field."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from llama_mapper.local.manifests import WiringError
from llama_mapper.local.triggers import Trigger, load

ROOT = Path(__file__).parents[3]
ADDRESSES = {"Service/analyze": "http://127.0.0.1:8001", "Service/record": "http://127.0.0.1:8092/"}
SINK = {"ref": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "record"}, "uri": "/dead-letters"}


def manifest(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "eventing.knative.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def subscriber(name: str = "analyze", uri: str | None = "/events") -> dict[str, Any]:
    ref = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": name}
    return {"ref": ref, **({"uri": uri} if uri else {})}


def trigger(**changes: Any) -> dict[str, Any]:
    return manifest("Trigger", "step", **{"broker": "default", "subscriber": subscriber(), **changes})


def wire(folder: Path, *documents: dict[str, Any], **broker: Any) -> tuple[Trigger, ...]:
    files = {"broker.yaml": manifest("Broker", "default", **broker)}
    files |= {f"trigger-{index}.yaml": document for index, document in enumerate(documents)}
    for name, document in files.items():
        (folder / name).write_text(yaml.safe_dump(document))
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({"resources": list(files)}))
    return load(folder, "here", ADDRESSES.get)["here", "default"]


def test_the_real_eventing_folder_is_wired_as_the_architecture_says() -> None:
    wiring = load(ROOT / "eventing", "llama-mapper", lambda reference: f"http://{reference.replace('/', '-')}")
    wired = wiring["llama-mapper", "default"]
    assert {one.name: one.subscriber for one in wired} == {
        "map-findings": "http://InferenceService-mapper/events",
        "analyze-findings": "http://Service-analyze/events",
        "record-findings": "http://Service-record/events",
        "record-analysis": "http://Service-record/events",
        "record-budget": "http://Service-record/events",
        "record-canary": "http://Service-record/events",
    }
    assert {one.dead_letter_sink for one in wired} == {"http://Service-record/dead-letters"}


def test_the_real_triggers_to_record_are_ordered_and_those_to_other_steps_are_not() -> None:
    wiring = load(ROOT / "eventing", "llama-mapper", lambda reference: f"http://{reference.replace('/', '-')}")
    ordered = {one.name for one in wiring["llama-mapper", "default"] if one.ordered}
    assert {"record-findings", "record-analysis", "record-budget"} <= ordered
    assert not {"map-findings", "analyze-findings"} & ordered


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        (None, False),
        ({}, False),
        ({"kafka.eventing.knative.dev/delivery.order": "unordered"}, False),
        ({"kafka.eventing.knative.dev/delivery.order": "ordered"}, True),
        ({"kafka.eventing.knative.dev/delivery.orders": "ordered"}, False),
        ({"example.org/owner": "us"}, False),
    ],
)
def test_the_annotation_of_kafkas_class_orders_deliveries(
    tmp_path: Path, annotations: dict[str, str] | None, expected: bool
) -> None:
    metadata = {"name": "step"} | ({} if annotations is None else {"annotations": annotations})
    assert wire(tmp_path, {**trigger(), "metadata": metadata})[0].ordered is expected


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (None, "http://127.0.0.1:8001/"),
        ("/events", "http://127.0.0.1:8001/events"),
        ("events", "http://127.0.0.1:8001/events"),
        ("/events?a=b", "http://127.0.0.1:8001/events?a=b"),
    ],
)
def test_a_subscriber_is_an_address_and_a_path(tmp_path: Path, uri: str | None, expected: str) -> None:
    assert wire(tmp_path, trigger(subscriber=subscriber(uri=uri)))[0].subscriber == expected


def test_a_subscriber_may_be_an_absolute_uri(tmp_path: Path) -> None:
    assert wire(tmp_path, trigger(subscriber={"uri": "http://x/y"}))[0].subscriber == "http://x/y"


def test_a_broker_that_says_nothing_has_knatives_default_delivery(tmp_path: Path) -> None:
    delivery = wire(tmp_path, trigger())[0].delivery
    assert (delivery.retry, delivery.backoff_policy, delivery.backoff_delay.total_seconds()) == (10, "exponential", 0.2)


def test_a_triggers_delivery_replaces_its_brokers(tmp_path: Path) -> None:
    own = {"retry": 1, "timeout": "PT3S"}
    wired = wire(tmp_path, trigger(delivery=own), delivery={"retry": 7, "backoffDelay": "PT9S", "deadLetterSink": SINK})
    delivery = wired[0].delivery
    assert (delivery.retry, delivery.backoff_delay.total_seconds()) == (1, 0.0)
    assert delivery.timeout is not None
    assert delivery.timeout.total_seconds() == 3.0


def test_a_dead_letter_sink_is_the_triggers_or_else_the_brokers(tmp_path: Path) -> None:
    own = trigger(delivery={"deadLetterSink": {"uri": "http://own/sink"}})
    other = {**trigger(delivery={"retry": 1}), "metadata": {"name": "other"}}
    wired = wire(tmp_path, own, other, delivery={"deadLetterSink": SINK})
    assert {one.name: one.dead_letter_sink for one in wired} == {
        "step": "http://own/sink",
        "other": "http://127.0.0.1:8092/dead-letters",
    }


def test_what_is_not_listed_in_the_kustomization_is_not_wired(tmp_path: Path) -> None:
    wire(tmp_path)
    (tmp_path / "unlisted.yaml").write_text(yaml.safe_dump(trigger()))
    assert load(tmp_path, "here", ADDRESSES.get)["here", "default"] == ()


def test_folders_are_followed_and_other_kinds_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    wire(tmp_path / "more", trigger())
    (tmp_path / "source.yaml").write_text(yaml.safe_dump(manifest("PingSource", "weekly", schedule="0 0 * * 0")))
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump({"resources": ["more", "source.yaml"]}))
    assert [one.name for one in load(tmp_path, "here", ADDRESSES.get)["here", "default"]] == ["step"]


def test_a_manifests_own_namespace_is_kept(tmp_path: Path) -> None:
    elsewhere = {"name": "default", "namespace": "elsewhere"}
    documents = [
        {**manifest("Broker", "default"), "metadata": elsewhere},
        {**trigger(), "metadata": {**elsewhere, "name": "step"}},
    ]
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(documents))
    (tmp_path / "kustomization.yaml").write_text("resources: [all.yaml]\n")
    assert [one.key for one in load(tmp_path, "here", ADDRESSES.get)["elsewhere", "default"]] == [
        "elsewhere/default/step"
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"filters": [{"cesql": "type = 'x'"}]}, "spec.filters.0.cesql"),
        ({"filters": [{"exact": {"type": "x"}}, {"glob": {"type": "x"}}]}, "spec.filters.1.glob"),
        ({"filters": {"exact": {"type": "x"}}}, "spec.filters"),
        ({"filter": {"attributes": {"type": "x"}}}, "spec.filter"),
        ({"broker": "defualt"}, "spec.broker"),
        ({"subscriber": {}}, "spec.subscriber"),
        ({"subscriber": {"uri": "/events"}}, "spec.subscriber"),
        ({"subscriber": {"uri": "ftp://x/y"}}, "spec.subscriber"),
        ({"subscriber": subscriber("recrod")}, "spec.subscriber.ref"),
        ({"subscriber": {"ref": {"kind": "Service", "name": "record"}}}, "spec.subscriber.ref.apiVersion"),
        ({"delivery": {"retries": 2}}, "spec.delivery.retries"),
        ({"delivery": {"retry": -1}}, "spec.delivery.retry"),
        ({"delivery": {"backoffPolicy": "quadratic"}}, "spec.delivery.backoffPolicy"),
        ({"delivery": {"backoffDelay": "0.2"}}, "spec.delivery.backoffDelay"),
        ({"delivery": {"backoffDelay": "00:00:05"}}, "spec.delivery.backoffDelay"),
        ({"delivery": {"backoffDelay": 0.2}}, "spec.delivery.backoffDelay"),
        ({"delivery": {"backoffDelay": "PT"}}, "spec.delivery.backoffDelay"),
        ({"delivery": {"timeout": "PT200MS"}}, "spec.delivery.timeout"),
        ({"delivery": {"retryAfterMax": "-PT1S"}}, "spec.delivery.retryAfterMax"),
        ({"delivery": {"deadLetterSink": subscriber("nobody")}}, "spec.delivery.deadLetterSink.ref"),
    ],
)
def test_what_cannot_be_run_as_written_is_refused_with_file_and_field(
    tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(WiringError, match="trigger-0") as raised:
        wire(tmp_path, trigger(**changes))
    assert f"{tmp_path / 'trigger-0.yaml'}: {field}: " in str(raised.value)


def test_two_triggers_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WiringError, match=r"trigger-1\.yaml: metadata\.name: "):
        wire(tmp_path, trigger(), trigger())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("resources: [gone.yaml]\n", "kustomization.yaml: resources: there is no gone.yaml"),
        ("resources: [\n", "kustomization.yaml: line 2: is not YAML"),
        (None, "kustomization.yaml: (file): is not there"),
    ],
)
def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path, text: str | None, expected: str) -> None:
    if text is not None:
        (tmp_path / "kustomization.yaml").write_text(text)
    with pytest.raises(WiringError) as raised:
        load(tmp_path, "here", ADDRESSES.get)
    assert expected in str(raised.value)
