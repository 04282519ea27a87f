import pytest

from functions.orchestrate.settings import Settings
from llama_mapper.chassis.settings import SettingsError, load


def test_defaults_need_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("K_SINK", raising=False)
    settings = load(Settings)
    assert settings.sink_url is None
    assert dict(settings.stand_ins) | {"deberta": "tox-block"} == settings.stand_ins
    assert settings.policies.joinpath("data.json").exists()


def test_the_sink_is_the_one_knative_injects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K_SINK", "http://broker/default")
    assert load(Settings).sink_url == "http://broker/default"


def test_model_servers_are_named_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATION_MODEL_SERVERS", '{"deberta": "http://served/v1/models/deberta:predict"}')
    assert {name: str(url) for name, url in load(Settings).model_servers.items()} == {
        "deberta": "http://served/v1/models/deberta:predict"
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ORCHESTRATION_MODEL_SERVERS", '{"deberta": "not a canary url"}'),
        ("ORCHESTRATION_MODEL_SERVERS", '{"Not An Id": "http://canary/"}'),
        ("ORCHESTRATION_STAND_INS", '{"deberta": "Not A canary"}'),
        ("ORCHESTRATION_DEADLINE_SECONDS", "0"),
        ("ORCHESTRATION_BATCH_CONCURRENCY", "canary"),
        ("ORCHESTRATION_MAX_BYTES", "10"),
    ],
)
def test_a_wrong_setting_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load(Settings)
    assert name in str(refused.value)
    assert "canary" not in str(refused.value)


def test_content_of_the_allowed_length_fits_however_it_is_escaped() -> None:
    assert Settings().max_bytes > 50_000 * len(r"\ud83d\ude00") + 10_000
