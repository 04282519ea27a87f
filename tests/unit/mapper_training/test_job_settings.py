from typing import Any

import pytest
from pydantic import ValidationError

from mapper_training.job_settings import JobSettings

NEEDED: dict[str, Any] = {"experiment": "llama-3-8b", "registry": "s3://models/x/", "signing_key": "key.pem"}


def test_checkpoints_lie_below_the_registry_unless_said_otherwise() -> None:
    assert JobSettings(**NEEDED).checkpoint_place == "s3://models/x/training/llama-3-8b/default"
    assert JobSettings(**NEEDED, checkpoints="/lasting", run="7").checkpoint_place == "/lasting/llama-3-8b/7"


def test_all_vendors_are_no_fold_to_test_on() -> None:
    settings = JobSettings(**NEEDED, folds="0,3,all")
    assert settings.fold_names == ("0", "3", "all")
    assert settings.tested_folds == ("0", "3")


@pytest.mark.parametrize("folds", ["", "5", "0,,1", "0, 1", "every"])
def test_a_fold_that_is_none_is_refused(folds: str) -> None:
    with pytest.raises(ValidationError):
        JobSettings(**NEEDED, folds=folds)


def test_only_what_is_said_changes_the_plan() -> None:
    assert JobSettings(**NEEDED).plan_changes == {}
    said = JobSettings(**NEEDED, device="cpu", base_revision="ab" * 20, minutes=2)
    assert said.plan_changes == {"device": "cpu", "revision": "ab" * 20, "minutes": 2.0}


@pytest.mark.parametrize("name", ["../other", "a/b", "", "-x"])
def test_a_run_or_an_experiment_is_one_name(name: str) -> None:
    for field in ("run", "experiment"):
        with pytest.raises(ValidationError):
            JobSettings(**NEEDED | {field: name})


def test_the_key_is_not_printed() -> None:
    assert "key.pem" not in repr(JobSettings(**NEEDED))
