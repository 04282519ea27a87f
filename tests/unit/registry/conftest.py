from pathlib import Path

import pytest

from llama_mapper.registry import Keyring, Registry, SigningKey, open_registry
from tests.fakes.experiments import experiment


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return open_registry(str(tmp_path / "registry"))


@pytest.fixture
def tried(tmp_path: Path) -> Path:
    """An experiment that can be published."""
    return experiment(tmp_path / "tried")


@pytest.fixture(scope="session")
def key() -> SigningKey:
    return SigningKey.generate()


@pytest.fixture
def trusted(key: SigningKey) -> Keyring:
    return Keyring(key.public)
