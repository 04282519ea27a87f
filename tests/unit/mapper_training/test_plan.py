from pathlib import Path

import pytest

from mapper_training.plan import CannotTrain, Plan, changed, read_plan
from mapper_training.setting import EXPERIMENTS

COMMIT = "ab" * 20


def test_every_experiment_has_a_plan_that_can_be_read() -> None:
    plans = [read_plan(path.parent) for path in sorted(EXPERIMENTS.glob("*/training.json"))]
    assert plans


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "no experiment tried"),
        ("{", "check JSON"),
        ('{"epochs": 0}', "check epochs"),
        ('{"minutes": -1}', "check minutes"),
        ('{"revision": "main"}', "check revision"),
        ('{"recipe": {"varied": "many"}}', "check recipe.varied"),
        ('{"epoch": 1}', "check epoch"),
    ],
)
def test_a_plan_that_cannot_be_read_is_refused_by_field(tmp_path: Path, text: str | None, says: str) -> None:
    home = tmp_path / "tried"
    home.mkdir()
    if text is not None:
        (home / "training.json").write_text(text, "utf-8")
    with pytest.raises(CannotTrain, match=says):
        read_plan(home)


def test_another_base_does_not_keep_the_first_ones_revision() -> None:
    plan = Plan(base="maker/model", revision=COMMIT)
    assert changed(plan, {"base": "maker/other"}).revision is None
    assert changed(plan, {"base": "maker/other", "revision": COMMIT}).revision == COMMIT
    assert changed(plan, {"minutes": 3}).revision == COMMIT


@pytest.mark.parametrize(("name", "value"), [("minutes", 0), ("revision", "main"), ("device", "tpu"), ("threads", 0)])
def test_a_change_that_no_plan_can_have_is_refused(name: str, value: object) -> None:
    with pytest.raises(CannotTrain, match=name):
        changed(Plan(), {name: value})
