"""A label that nobody knows, from the queue through a person to a rule, a vocabulary and an example of training."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from typer.testing import CliRunner

from llama_mapper.cli.main import app as cli
from llama_mapper.contracts.mapping import Versions
from llama_mapper.taxonomy import Taxonomy
from mapper_serving.adapters import MemoryStore
from mapper_serving.review_memory import MemoryReviews
from mapper_serving.rules import Rules
from mapper_serving.server import create_server
from mapper_serving.service import Mapper
from mapper_serving.settings import Settings
from mapper_serving.vocabulary import Vocabularies, read_all
from mapper_training.data import curated
from tests.fakes.mapping import SayingModel, finding, names, resolved
from tests.fakes.reviews import candidates

SAID = {"detector": "acme-guard", "detector_version": "2.1", "label": "cust_mail_v3", "kind": "pii"}


@pytest.fixture
def url(vocabularies: Vocabularies, taxonomy: Taxonomy) -> Iterator[str]:
    """A mapper whose model is never sure, served on a port of its own."""
    unsure = resolved("PII.Contact", 0.5).model_copy(
        update={"candidates": candidates("PII.Contact", "PII.Contact.Email")}
    )
    store = MemoryStore(taxonomy.version)
    mapper = Mapper(
        rules=Rules(vocabularies, taxonomy),
        cache=store,
        reviews=MemoryReviews(),
        versions=Versions(taxonomy=taxonomy.version, mapper="1"),
        model=SayingModel(unsure),
    )
    app = create_server(mapper, store, Settings())
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, ws="none"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def review(url: str, *words: str) -> str:
    result = CliRunner().invoke(cli, ["review", *words, "--url", url], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.stdout


def test_an_unknown_label_becomes_a_rule_and_data_for_training(url: str, tmp_path: Path, taxonomy: Taxonomy) -> None:
    def mapped() -> dict[str, object]:
        answer: dict[str, object] = httpx.post(
            f"{url}/api/v1/map", json=SAID, headers={"X-Tenant-ID": "demo"}, timeout=60
        ).json()
        return answer

    assert mapped()["review"] is True
    (item,) = json.loads(review(url, "list", "--json"))
    assert [found["label"] for found in item["candidates"]] == ["PII.Contact", "PII.Contact.Email"]
    assert review(url, "accept", item["id"], "PII.Contact.Email", "--by", "ada") == (
        "acme-guard cust_mail_v3: PII.Contact.Email (exact)\n"
    )
    after = mapped()
    assert (after["method"], after["review"]) == ("rule", False)
    assert review(url, "list") == "nothing waits for a person\n"

    folder = tmp_path / "vocabularies"
    file = folder / "acme-guard@2.1.reviewed.yaml"
    assert review(url, "export", str(folder)) == f"{file}\n"
    linted = CliRunner().invoke(cli, ["vocabularies", "lint", "--folder", str(folder)])
    assert (linted.exit_code, linted.stderr) == (0, "")

    exported = read_all(folder)
    resolution = Rules(Vocabularies(exported), taxonomy).resolve(finding("cust_mail_v3", "acme-guard", "2.1"))
    assert resolution is not None
    assert (names(resolution.labels), resolution.method) == (["PII.Contact.Email"], "rule")
    (example,) = curated(exported, limit=10, seed=1)
    assert (example.word, example.kind, example.vendor) == ("cust_mail_v3", "pii", "acme-guard")
    assert example.gold == (("PII.Contact.Email", "exact"),)
