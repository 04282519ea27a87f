"""Every image builds, answers as a pod would run it, and has no right it should not have.

A target of its own (``make images``): minutes and gigabytes. Here with ``LLAMA_MAPPER_IMAGES=1``, for the images it
names or for all (``LLAMA_MAPPER_IMAGES=analyze,record``).
"""

import os
from pathlib import Path

import pytest

from tests.images.__main__ import Asked, run_trials
from tests.images.commands import missing
from tests.images.recipes import Recipe, recipes

ASKED = os.environ.get("LLAMA_MAPPER_IMAGES", "")
CHOSEN = [recipe for recipe in recipes() if ASKED == "1" or recipe.short in ASKED.split(",")]
REASON = missing() if ASKED else "LLAMA_MAPPER_IMAGES=1 builds images (make images)"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(REASON), reason=str(REASON))]


@pytest.mark.parametrize("recipe", CHOSEN or recipes()[:1], ids=lambda recipe: recipe.short)
def test_an_image_builds_answers_and_has_no_rights(recipe: Recipe, tmp_path: Path) -> None:
    said: list[str] = []
    outcomes, faults = run_trials(Asked((recipe,), tmp_path, None, None, runs=1), said.append)
    assert not faults
    assert not outcomes[0].not_locked
    assert (tmp_path / f"{recipe.short}.cdx.json").is_file()
