"""orchestrate's policies asked of OPA's own engine over HTTP say what they say in process."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from functions.orchestrate.policies.opa import OpaPolicy
from functions.orchestrate.policies.rego import RegoPolicy
from functions.orchestrate.settings import Settings
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.orchestration import Coverage, OrchestrateRequest
from llama_mapper.contracts.problems import InsufficientRbac, Unauthorized
from tests.fakes.findings import found
from tests.fakes.opa_server import serving

opa_bindings = pytest.importorskip(
    "opa_bindings",
    reason="OPA is not installed: pip install --no-deps --ignore-requires-python opa-golib-python-bindings==0.4.4",
)

FOLDER = Path(Settings.model_fields["policies"].default)
DEMO = TenantId("demo")
AVAILABLE = ("llama-mapper-regex", "presidio", "detect-secrets", "tox-block", "minilm-injection")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    engine = opa_bindings.OpaEngine()
    for path in sorted(FOLDER.rglob("*.rego")):
        if not path.stem.endswith("_test"):
            engine.add_policy(str(path.relative_to(FOLDER)), path.read_text("utf-8"))
    engine.add_data(json.loads((FOLDER / "data.json").read_text("utf-8")))

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
    async with aclosing(OpaPolicy(FOLDER, address, 5.0)) as opa:
        yield opa


IN_PROCESS = RegoPolicy(FOLDER)


async def test_both_admit_and_refuse_the_same(served: OpaPolicy) -> None:
    for policy in (served, IN_PROCESS):
        await policy.admit(DEMO, 50_000)
        with pytest.raises(Unauthorized):
            await policy.admit(TenantId("nobody"), 1)
        with pytest.raises(InsufficientRbac):
            await policy.admit(DEMO, 50_001)


@pytest.mark.parametrize("mode", ["fast", "standard", "thorough"])
async def test_both_select_the_same_detectors(served: OpaPolicy, mode: str) -> None:
    request = OrchestrateRequest.model_validate({"content": "x", "processing_mode": mode})
    assert await served.select(request, AVAILABLE, DEMO) == await IN_PROCESS.select(request, AVAILABLE, DEMO)


@pytest.mark.parametrize("label", ["PII.Contact.Email", "SECRET", "PROMPT_INJECTION.Direct", "HARM.Hate"])
async def test_both_decide_the_same_in_the_same_version(served: OpaPolicy, label: str) -> None:
    coverage = Coverage(method="REQUIRED_SET", score=1.0, required=())
    assert await served.decide([found(label)], coverage, DEMO) == await IN_PROCESS.decide(
        [found(label)], coverage, DEMO
    )
