"""A bundle that we build is one to OPA: unpacked by another reader, it decides in OPA's engine as it does in ours."""

import io
import json
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from functions.orchestrate.policies.bundle_archives import build, read
from functions.orchestrate.policies.bundles import read_folder
from functions.orchestrate.policies.opa import OpaPolicy
from functions.orchestrate.policies.rego import RegoPolicy
from functions.orchestrate.settings import Settings
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.orchestration import Coverage
from tests.fakes.findings import found
from tests.fakes.opa_server import Canned, serving

opa_bindings = pytest.importorskip(
    "opa_bindings",
    reason="OPA is not installed: pip install --no-deps --ignore-requires-python opa-golib-python-bindings==0.4.4",
)

DEMO = TenantId("demo")
ARCHIVE = build(read_folder(Path(Settings.model_fields["policies"].default)), "git-4f2c")
LABELS = ["PII.Contact.Email", "PII.Person.Name", "SECRET.Key", "JAILBREAK.RolePlay", "HARM.Hate", "OTHER.Unknown"]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    engine = opa_bindings.OpaEngine()
    with tarfile.open(fileobj=io.BytesIO(ARCHIVE)) as archive:
        for member in archive:
            text = (archive.extractfile(member) or io.BytesIO()).read().decode()
            if member.name.endswith(".rego"):
                engine.add_policy(member.name, text)
            elif member.name == "data.json":
                engine.add_data(json.loads(text))

    def evaluate(path: str, question: Any) -> Any:
        try:
            return engine.eval_document(path.replace("/", "."), question)
        except opa_bindings.OpaUndefinedError as error:
            raise LookupError(path) from error

    with serving(evaluate) as url:
        yield url
    engine.close()


@pytest.fixture
async def served(address: str) -> AsyncIterator[OpaPolicy]:
    async with aclosing(OpaPolicy(read(ARCHIVE), address, 5.0)) as opa:
        yield opa


@pytest.mark.parametrize("score", [1.0, 0.5])
@pytest.mark.parametrize("confidence", [0.9, 0.3])
@pytest.mark.parametrize("label", LABELS)
async def test_both_decide_the_same_from_one_bundle(
    served: OpaPolicy, label: str, confidence: float, score: float
) -> None:
    coverage = Coverage(method="REQUIRED_SET", score=score, required=())
    findings = [found(label, confidence, severity=3)]
    ours = await RegoPolicy(read(ARCHIVE)).decide(findings, coverage, DEMO)
    assert await served.decide(findings, coverage, DEMO) == ours


ANSWER = {"action": "flag", "reasons": ["r"], "obligations": []}


@pytest.mark.parametrize(
    ("provenance", "version"),
    [
        ({"bundles": {"platform": {"revision": "git-4f2d"}}}, "git-4f2d"),
        ({"bundles": {"platform": {}}}, None),
        ({"bundles": {"a": {"revision": "1"}, "b": {"revision": "2"}}}, None),
        ({"bundles": {"platform": {"revision": "two words"}}}, None),
        ({"bundles": []}, None),
        (None, None),
    ],
)
async def test_the_version_is_the_one_that_opa_says_it_answers_from(provenance: Any, version: str | None) -> None:
    body = json.dumps({"result": ANSWER, "provenance": provenance}).encode()
    with serving(Canned(body)) as url:
        async with aclosing(OpaPolicy(read(ARCHIVE), url, 5.0)) as opa:
            decision = await opa.decide([], Coverage(method="REQUIRED_SET", score=1.0, required=()), DEMO)
    assert decision.policy_version == (version or read(ARCHIVE).version)
