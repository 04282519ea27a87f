from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.running import System, start


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One system for all tests that leave it running."""
    running = start(tmp_path_factory.mktemp("run"))
    yield running
    if running.process.poll() is None:
        running.stop()


@pytest.fixture
def own_system(tmp_path: Path) -> Iterator[System]:
    """A system for one test, which may end it as it likes."""
    running = start(tmp_path / "run")
    yield running
    if running.process.poll() is None:
        running.stop()
