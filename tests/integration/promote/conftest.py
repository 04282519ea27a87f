from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.promotion import Promotion, running


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Promotion]:
    async with running(tmp_path) as promotion:
        yield promotion
