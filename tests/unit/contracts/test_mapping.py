"""A batch keeps every item's place, and a refusal names fields of ours only."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from llama_mapper.contracts.mapping import MapBatchRequest, MapRequest, Refused
from llama_mapper.contracts.orchestration import BatchRequest, OrchestrateRequest

GOOD: dict[str, Any] = {"detector": "presidio", "label": "EMAIL"}
SECRET = "ada@example.org"

bad_items = st.sampled_from([{}, None, 5, "text", [], {"label": "x"}, GOOD | {"score": 2}, GOOD | {"unknown": 1}])
items = st.lists(st.just(GOOD) | bad_items, min_size=1, max_size=12)


@given(items)
def test_good_items_and_refusals_stand_where_they_were_sent(sent: list[Any]) -> None:
    batch = MapBatchRequest.model_validate_json(json.dumps({"items": sent}))
    assert [isinstance(item, MapRequest) for item in batch.items] == [item == GOOD for item in sent]


@pytest.mark.parametrize(
    ("item", "fields"),
    [
        ({}, ("detector", "label")),
        (None, ("(item)",)),
        ([1], ("(item)",)),
        (GOOD | {"detector": "No Such Name"}, ("detector",)),
        (GOOD | {"label": SECRET}, ("label",)),
        (GOOD | {"label": 5}, ("label",)),
        (GOOD | {"span": {"start": 4, "end": 2}}, ("span",)),
        (GOOD | {"severity": {"a": 1}}, ("severity",)),
        (GOOD | {SECRET: "x"}, ("(item)",)),
    ],
)
def test_a_refusal_names_the_fields(item: Any, fields: tuple[str, ...]) -> None:
    batch = MapBatchRequest.model_validate_json(json.dumps({"items": [item]}))
    assert batch.items == (Refused(fields=fields),)


def test_a_batch_of_contents_keeps_its_places_too() -> None:
    sent = [{"content": "a"}, {"content": ""}, {"content": "b", SECRET: 1}, {"content": "c", "metadata": {SECRET: "v"}}]
    batch = BatchRequest.model_validate({"items": sent})
    assert isinstance(batch.items[0], OrchestrateRequest)
    assert batch.items[1:] == (
        Refused(fields=("content",)),
        Refused(fields=("(item)",)),
        Refused(fields=("metadata",)),
    )


def test_a_caller_cannot_send_a_refusal() -> None:
    batch = MapBatchRequest.model_validate({"items": [{"fields": ["label"]}]})
    assert batch.items == (Refused(fields=("detector", "label", "(item)")),)


@pytest.mark.parametrize("items", [[], [GOOD] * 501, {"0": GOOD}, None])
def test_a_batch_has_between_one_and_500_items(items: Any) -> None:
    with pytest.raises(ValidationError):
        MapBatchRequest.model_validate({"items": items})
