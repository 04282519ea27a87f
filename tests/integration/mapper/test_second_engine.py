"""The same protocol before another engine than vLLM: llama.cpp, by llama-cpp-python's OpenAI-compatible server.

How to install it stands in the mapper's README under "Other engines".
"""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from purgatory import AsyncCircuitBreakerFactory

from llama_mapper.contracts.mapping import VendorFinding
from llama_mapper.contracts.problems import Unavailable
from llama_mapper.local.layout import EXPERIMENT
from mapper_serving.candidates import Questions
from mapper_serving.completion import Completion, CompletionServer, Grammar
from tests.e2e.running import ROOT, wait_for
from tests.fakes.free_ports import free_port
from tests.fakes.hostile import KNOWN

from .conftest import Serve, until_by_model

PYTHON = Path(os.environ.get("LLAMA_CPP_PYTHON", ROOT / ".venv-llama-cpp" / "bin" / "python"))
WEIGHTS = Path(os.environ.get("LLAMA_CPP_WEIGHTS", ROOT / ".cache" / "models" / f"{EXPERIMENT}.gguf"))
WORDS = ("email_address", "phone number", "cust_ssn_leak_v3", "hate speech", "prompt injection")
SECONDS = 60.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (PYTHON.is_file() and WEIGHTS.is_file()),
        reason="llama.cpp is not here: see 'Other engines' in inference-services/mapper/README.md",
    ),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its base URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(PYTHON), "-m", "llama_cpp.server", "--model", str(WEIGHTS), "--model_alias", "mapper-llm"]
    options = ["--n_ctx", "512", "--logits_all", "true", "--host", "127.0.0.1", "--port", str(port)]
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (tmp_path_factory.mktemp("engine") / "log").open("wb") as log:
        process = subprocess.Popen([*command, *options], stdout=log, stderr=log, env=inherited)

        def listens() -> bool:
            assert process.poll() is None, "the engine ended at its start"
            try:
                return httpx.get(url + "/v1/models", trust_env=False, timeout=5).status_code == 200
            except httpx.HTTPError:
                return False

        try:
            wait_for(listens, "the engine listens", 120)
            yield url
        finally:
            process.terminate()
            process.wait(30)


@pytest.mark.parametrize("grammar", ["gbnf", "none", "vllm"])  # it ignores what vLLM understands
async def test_its_answers_are_read_like_vllms(engine: str, questions: Questions, grammar: Grammar) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        server = CompletionServer(
            engine, "mapper-llm", client, AsyncCircuitBreakerFactory(), SECONDS, 0.0, grammar=grammar
        )
        right = 0
        for word in WORDS:
            question = questions.ask(VendorFinding(detector="vendor-nobody-curated", label=word))
            said = await answered(server, question.prompt, len(question.found))
            assert sum(said.letters) + said.none == pytest.approx(1, abs=1e-3)
            assert len(said.letters) == len(question.found)
            assert sum(said.relations.values()) == pytest.approx(1, abs=1e-3)
            assert said.prompt_tokens > 20
            best = question.found[said.letters.index(max(said.letters))].label
            right += best.startswith(KNOWN[word])
    assert right >= len(WORDS) - 1


async def answered(server: CompletionServer, prompt: str, candidates: int) -> Completion:
    """Ask until it has been warmed up."""
    async with asyncio.timeout(120):
        while True:
            try:
                return await server.ask(prompt, candidates)
            except Unavailable as problem:
                if "warming up" not in problem.detail:
                    raise
                await asyncio.sleep(0)


async def test_the_mapper_answers_by_it(engine: str, serve: Serve) -> None:
    asked = serve(engine, httpx.AsyncClient(trust_env=False))
    await until_by_model(asked)
