"""A registry in a real S3 (SeaweedFS), a prefix for each test."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from llama_mapper.registry import Keyring, Registry, SigningKey, open_registry
from tests.fakes import object_store
from tests.fakes.object_store import BUCKET, ObjectStore

pytest.importorskip("boto3", reason="the SDK for S3 is not installed")


@dataclass(frozen=True)
class Place:
    """What lies below the test's own prefix, past the registry's rules."""

    client: Any
    prefix: str

    @property
    def url(self) -> str:
        return f"s3://{BUCKET}/{self.prefix}"

    def keys(self) -> list[str]:
        found = self.client.list_objects_v2(Bucket=BUCKET, Prefix=f"{self.prefix}/").get("Contents", [])
        return [one["Key"].removeprefix(f"{self.prefix}/") for one in found]

    def read(self, key: str) -> bytes:
        body: bytes = self.client.get_object(Bucket=BUCKET, Key=f"{self.prefix}/{key}")["Body"].read()
        return body

    def write(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=f"{self.prefix}/{key}", Body=data)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    if not object_store.binary().is_file():
        pytest.skip("SeaweedFS is not installed")
    with object_store.running(tmp_path_factory.mktemp("seaweedfs")) as running:
        yield running


@pytest.fixture(autouse=True)
def _environment(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def client(store: ObjectStore) -> Any:
    return store.client()


@pytest.fixture
def place(client: Any) -> Place:
    return Place(client, f"deep/{uuid.uuid4().hex}")


@pytest.fixture
def registry(place: Place) -> Registry:
    return open_registry(place.url)


@pytest.fixture(scope="session")
def key() -> SigningKey:
    return SigningKey.generate()


@pytest.fixture
def trusted(key: SigningKey) -> Keyring:
    return Keyring(key.public)
