"""Policy bundles in a real S3: a tag is written once, and followed when it is moved."""

import hashlib

import pytest

from functions.orchestrate.policies.bundle_archives import build
from functions.orchestrate.policies.bundle_store import AlreadyThere, open_store
from functions.orchestrate.policies.bundle_watch import LivePolicy, StoredSource
from functions.orchestrate.policies.rego import RegoPolicy
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.orchestration import Coverage
from llama_mapper.contracts.problems import PolicyNotFound, Unavailable
from tests.fakes.policies import bundle, decides

from .conftest import Place

NAME = "platform/decision:2026.11"
LATEST = "platform/decision"
COVERED = Coverage(method="REQUIRED_SET", score=1.0, required=())
ONE, TWO = build(bundle()), build(bundle(decision=decides("block")))


def test_a_tag_is_written_once(place: Place) -> None:
    store = open_store(place.url)
    store.put(NAME, ONE)
    store.put(NAME, ONE)
    with pytest.raises(AlreadyThere):
        store.put(NAME, TWO)
    assert place.keys() == ["platform/decision/2026.11.tar.gz"]
    assert store.digest(NAME) == hashlib.sha256(ONE).hexdigest()
    assert store.fetch(NAME, hashlib.sha256(ONE).hexdigest()) == ONE


def test_what_is_not_there_or_was_tampered_with_is_not_found(place: Place) -> None:
    store = open_store(place.url)
    with pytest.raises(PolicyNotFound):
        store.fetch(NAME)
    store.put(NAME, ONE)
    place.write("platform/decision/2026.11.tar.gz", TWO)
    with pytest.raises(PolicyNotFound, match="digest"):
        store.fetch(NAME, hashlib.sha256(ONE).hexdigest())


async def test_a_moved_tag_is_followed_and_a_broken_one_is_not(place: Place) -> None:
    store = open_store(place.url)
    store.move(LATEST, ONE)
    live = LivePolicy(StoredSource(store, LATEST), RegoPolicy, 0)
    assert await live.check() is None
    store.move(LATEST, TWO)
    assert await live.check() == "loaded"
    place.write("platform/decision/latest.tar.gz", b"broken")
    assert await live.check() == "refused"
    pinned = await live.pinned(TenantId("demo"))
    assert (await pinned.decide([], COVERED, TenantId("demo"))).action == "block"


async def test_an_s3_that_is_away_changes_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(place.url).move(LATEST, ONE)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(Unavailable):
        open_store(place.url).fetch(LATEST)
