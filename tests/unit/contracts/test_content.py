"""Content has the doors that docs/decisions/0015 names; no other field of any contract is wide enough for a text."""

import importlib
import pkgutil
import types
import typing
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, NamedTuple, get_args, get_origin

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from llama_mapper import contracts
from llama_mapper.contracts.events import EVENTS, EventContext
from llama_mapper.contracts.wire import Consumed, Wire

ASKED_WITH = {
    "OrchestrateRequest.content",
    "DetectRequest.content",
    "StreamChunk.chunk",
    "DetokenizeRequest.content",
}
GIVEN_BACK = {"Redaction.content", "DetokenizeResponse.content"}
"""Answers to a caller who asked for content: redacted, or put back."""
CARRIERS = ASKED_WITH | GIVEN_BACK
SENTENCE = "Please call Ada on 0171 555 0142 or write to ada@example.org before noon."
LINES = "first line of a letter\nsecond line of a letter"
DOCUMENT = " ".join(["word"] * 300)
ASKING = ("Request", "StreamChunk")


class Leaf(NamedTuple):
    """One place for text in a model: the field's path and the type, with its constraints, that guards it."""

    where: str
    type: Any

    def takes(self, text: str) -> bool:
        try:
            TypeAdapter(self.type).validate_python(text)
        except ValidationError:
            return False
        return True


def modules() -> list[types.ModuleType]:
    names = [module.name for module in pkgutil.iter_modules(contracts.__path__, contracts.__name__ + ".")]
    return [importlib.import_module(name) for name in names]


def models() -> list[type[BaseModel]]:
    found = {
        value
        for module in modules()
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseModel) and value not in (BaseModel, Wire, Consumed)
    }
    return sorted(found, key=lambda model: model.__name__)


def leaves(model: type[BaseModel]) -> Iterator[Leaf]:
    """The model's own places for text; those of nested models are the nested models'."""
    for name, info in model.model_fields.items():
        yield from _text(f"{model.__name__}.{name}", info.annotation, tuple(info.metadata))


def _text(where: str, kind: Any, constraints: tuple[Any, ...]) -> Iterator[Leaf]:
    if isinstance(kind, typing.NewType):
        kind = kind.__supertype__
    origin = get_origin(kind)
    if origin is Annotated:
        inner, *more = get_args(kind)
        yield from _text(where, inner, (*more, *constraints))
    elif origin in (typing.Union, types.UnionType):
        for part in get_args(kind):
            yield from _text(where, part, constraints)
    elif origin in (tuple, list, dict, set, frozenset):
        for part in get_args(kind):
            yield from _text(where, part, ())
    elif kind in (Any, object, bytes, bytearray):
        yield Leaf(where, kind)
    elif kind is str:
        yield Leaf(where, Annotated[str, *constraints] if constraints else str)


def within(roots: Iterable[type[BaseModel]]) -> set[type[BaseModel]]:
    """*roots* and every model that can stand inside them."""
    seen: set[type[BaseModel]] = set()
    waiting = list(roots)
    while waiting:
        model = waiting.pop()
        if model not in seen:
            seen.add(model)
            waiting += [m for info in model.model_fields.values() for m in _models_in(info.annotation)]
    return seen


def _models_in(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for part in get_args(kind):
        yield from _models_in(part)


MODELS = models()
LEAVES = [leaf for model in MODELS for leaf in leaves(model)]
ON_THE_BROKER = within([*EVENTS, EventContext])
ASKED = within(model for model in MODELS if model.__name__.endswith(ASKING))
FROM_OUTSIDE = [leaf for model in ON_THE_BROKER | ASKED for leaf in leaves(model) if leaf.where not in CARRIERS]


def test_the_walk_finds_the_carriers_and_a_field_inside_a_nested_annotation() -> None:
    wheres = {leaf.where for leaf in LEAVES}
    assert wheres >= CARRIERS | {"OrchestrateRequest.metadata", "AnalysisCompleted.components", "Refused.fields"}
    assert len(MODELS) > 50


def test_the_carriers_take_a_document_or_this_test_proves_nothing() -> None:
    assert all(leaf.takes(DOCUMENT) for leaf in LEAVES if leaf.where in CARRIERS)


@pytest.mark.parametrize("leaf", [leaf for leaf in LEAVES if leaf.where not in CARRIERS], ids=lambda leaf: leaf.where)
def test_a_document_fits_into_no_other_field(leaf: Leaf) -> None:
    assert not leaf.takes(DOCUMENT)


@pytest.mark.parametrize("text", [SENTENCE, LINES, DOCUMENT], ids=["sentence", "lines", "document"])
@pytest.mark.parametrize("leaf", FROM_OUTSIDE, ids=lambda leaf: leaf.where)
def test_what_comes_from_outside_holds_no_prose(leaf: Leaf, text: str) -> None:
    assert not leaf.takes(text)


def test_no_event_reaches_a_carrier_or_a_problem() -> None:
    names = {model.__name__ for model in ON_THE_BROKER}
    assert not names & {where.partition(".")[0] for where in CARRIERS} | names & {"ProblemDocument", "FieldError"}


def test_only_models_that_carry_content_are_asked_with_it() -> None:
    carriers = {leaf.where for model in ASKED for leaf in leaves(model) if leaf.takes(DOCUMENT)}
    assert carriers == ASKED_WITH


def test_content_is_given_back_in_no_answer_but_those_that_were_asked_for_it() -> None:
    holding = {
        m.__name__ for m in MODELS if {c.partition(".")[0] for c in GIVEN_BACK} & {w.__name__ for w in within([m])}
    }
    assert holding == {
        "Redaction",
        "DetokenizeResponse",
        "OrchestrateResponse",
        "BatchItem",
        "BatchResponse",
        "StreamVerdict",
        "StreamFinal",
    }


@pytest.mark.parametrize("model", [m for m in MODELS if issubclass(m, Wire)], ids=lambda model: model.__name__)
def test_a_wire_model_is_frozen_and_refuses_unknown_fields(model: type[BaseModel]) -> None:
    config = model.model_config
    assert (config["frozen"], config["extra"], config["hide_input_in_errors"]) == (True, "forbid", True)


@pytest.mark.parametrize("model", [m for m in MODELS if issubclass(m, Consumed)], ids=lambda model: model.__name__)
def test_a_consumed_model_is_frozen_and_ignores_unknown_fields(model: type[BaseModel]) -> None:
    config = model.model_config
    assert (config["frozen"], config["extra"], config["hide_input_in_errors"]) == (True, "ignore", True)


def test_every_model_is_one_or_the_other() -> None:
    assert [model.__name__ for model in MODELS if not issubclass(model, Wire | Consumed)] == []


def test_a_refusal_does_not_quote_what_it_refused() -> None:
    with pytest.raises(ValidationError) as caught:
        EventContext.model_validate({"id": SENTENCE, "source": SENTENCE, "type": "t", "tenantid": SENTENCE})
    assert "ada@example.org" not in str(caught.value)
