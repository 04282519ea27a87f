from pathlib import Path

import pytest
from pydantic import ValidationError

from functions.detect.settings import Settings


def test_variables_with_the_prefix_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETECT_EXECUTOR_THREADS", "7")
    monkeypatch.setenv("DETECT_EXPECTED_LANGUAGES", '["en", "fr"]')
    settings = Settings()
    assert (settings.executor_threads, settings.expected_languages) == (7, ("en", "fr"))


@pytest.mark.parametrize("variable", ["DETECT_CACHE_DIR", "LLAMA_MAPPER_CACHE"])
def test_the_cache_folder_has_two_names(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "/tmp/somewhere")
    assert Settings().cache() == Path("/tmp/somewhere")


@pytest.mark.parametrize(
    ("name", "value"),
    [("executor_threads", 0), ("max_timeout_seconds", 61), ("toxicity_threshold", 1.1), ("expected_languages", ())],
)
def test_a_value_out_of_range_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({name: value})


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().executor_threads = 3  # type: ignore[misc]
