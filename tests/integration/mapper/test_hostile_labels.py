"""Whatever is sent as a label, and whatever the predictor says to it: a valid mapping, or a problem by field."""

import json
import unicodedata
from itertools import chain, islice

import httpx
import pytest
from pydantic import ValidationError

from llama_mapper.contracts.mapping import MapBatchResponse, Mapping, VendorFinding
from llama_mapper.contracts.problems import ProblemDocument
from llama_mapper.contracts.prompt import LETTERS, MAX_NEIGHBOURS, NONE
from llama_mapper.taxonomy import Taxonomy
from llama_mapper.taxonomy.tree import NEGATIVE
from mapper_serving.candidates import Questions
from tests.fakes.hostile import DETECTOR, Hostile, attacks, noise, plain, sent
from tests.fakes.predictor import lying

from .conftest import Serve, until_by_model

JSON = {"content-type": "application/json"}
SEED = 20261123
NOISE = 2_000
AT_ONCE = 100
FIELDS = {"label", "description"}


@pytest.mark.parametrize("part", range(4))
async def test_every_hostile_label_is_answered_or_refused_by_name(serve: Serve, taxonomy: Taxonomy, part: int) -> None:
    asked = serve("http://predictor", httpx.AsyncClient(transport=httpx.MockTransport(lying)))
    await until_by_model(asked)
    items = list(chain(plain(), islice(attacks(), part, None, 4), islice(noise(SEED + part), NOISE // 4)))
    answered = refused = 0
    for start in range(0, len(items), AT_ONCE):
        part_of = items[start : start + AT_ONCE]
        answer = await asked.post("/api/v1/map/batch", content=sent(*part_of), headers=JSON)
        assert answer.status_code == 200, answer.text
        results = MapBatchResponse.model_validate_json(answer.content).results
        assert len(results) == len(part_of)
        for item, row in zip(part_of, results, strict=True):
            if row.mapping:
                answered += 1
                assert_of_the_taxonomy(row.mapping, taxonomy, item)
            else:
                refused += 1
                assert_names_the_field(row.problem, item)
    assert answered > 300
    assert refused > 100


def assert_of_the_taxonomy(mapping: Mapping, taxonomy: Taxonomy, item: Hostile) -> None:
    assert all(label.label in taxonomy for label in mapping.labels), item
    assert mapping.method in ("model", "cache", "fallback", "rule"), item
    negative = all(taxonomy.is_within(NEGATIVE, one.label) for one in mapping.labels)
    assert negative or not mapping.negative, item


def assert_names_the_field(problem: ProblemDocument | None, item: Hostile) -> None:
    assert problem is not None, item
    assert (problem.status, problem.error_code) == (400, "INVALID_REQUEST"), item
    assert {error.field for error in problem.errors} <= FIELDS, item
    assert problem.errors, item


def test_no_label_or_description_forges_a_line_of_the_prompt(questions: Questions) -> None:
    asked = 0
    for item in chain(attacks(), islice(noise(SEED), NOISE)):
        try:
            finding = VendorFinding.model_validate(item.body())
        except ValidationError:
            continue
        asked += 1
        question = questions.ask(finding)
        *before, last = question.prompt.split("\n")
        assert before == question.prompt.splitlines()[:-1], item
        ends = [line.rpartition(" -> ")[2] for line in before]
        assert ends[: len(question.found) + 1] == [*LETTERS[: len(question.found)], NONE], item
        assert len(before) <= len(question.found) + 1 + MAX_NEIGHBOURS, item
        said = last.removesuffix(" ->")
        assert all(c.isalnum() or c == " " or unicodedata.category(c)[0] == "M" for c in said), item
    assert asked > 1_500


@pytest.mark.parametrize("field", ["label", "description"])
@pytest.mark.parametrize(
    "value",
    ["\ud800", "a\udfffb", "\x00", "two\nlines", "tab\x0bbed", "\u2028", "x" * 2_000, "word " * 49, "   "],
)
async def test_one_hostile_label_alone_is_refused_by_name(serve: Serve, field: str, value: str) -> None:
    asked = serve("http://predictor", httpx.AsyncClient(transport=httpx.MockTransport(lying)))
    body = Hostile("email").body() | {field: value}
    answer = await asked.post("/api/v1/map", content=json.dumps(body).encode(), headers=JSON)
    document = ProblemDocument.model_validate_json(answer.content)
    assert (answer.status_code, document.status, document.error_code) == (400, 400, "INVALID_REQUEST")
    assert [error.field for error in document.errors] == [field]


@pytest.mark.parametrize("label", ["!!!", "…", "🔒", "→", "()", "„“", "."])
async def test_a_label_without_words_claims_nothing(serve: Serve, label: str) -> None:
    asked = serve("http://predictor", httpx.AsyncClient(transport=httpx.MockTransport(lying)))
    await until_by_model(asked)
    answer = await asked.post("/api/v1/map", json={**DETECTOR, "label": label})
    assert [one["label"] for one in answer.json()["labels"]] == ["OTHER.Unknown"]
