from pathlib import Path

import pytest

from llama_mapper.local import layout, ports
from llama_mapper.local.directory import RunDirectory
from llama_mapper.local.layout import Layout, Part
from llama_mapper.local.refusal import CannotRun


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("detect", "record", "analyze", "orchestrate", "console"):
        (tmp_path / "functions" / name).mkdir(parents=True)
        (tmp_path / "functions" / name / "main.py").touch()
    (tmp_path / "inference-services" / "mapper" / "mapper_serving").mkdir(parents=True)
    (tmp_path / "eventing").mkdir()
    return tmp_path


@pytest.fixture
def plan(checkout: Path) -> Layout:
    place = RunDirectory(checkout / ".run")
    place.create()
    return Layout(checkout, place, ports.assign(18_000))


def by_name(plan: Layout) -> dict[str, Part]:
    return {part.name: part for part in plan.parts()}


def test_every_named_port_has_a_part(plan: Layout) -> None:
    assert {part.name: part.port for part in plan.parts()} == dict(plan.ports)


def test_the_store_starts_first_and_the_doors_last(plan: Layout) -> None:
    names = [part.name for part in plan.parts()]
    assert names[0] == "valkey"
    assert names[-2:] == ["orchestrate", "console"]


def test_what_a_part_needs_comes_before_it(plan: Layout) -> None:
    names = [part.name for part in plan.parts()]
    for part in plan.parts():
        assert all(names.index(need) < names.index(part.name) for need in part.needs)


def test_the_model_and_the_console_are_optional(plan: Layout) -> None:
    assert [part.name for part in plan.parts() if part.optional] == ["predictor", "console"]


def test_nobody_waits_for_the_model(plan: Layout) -> None:
    assert [part.name for part in plan.parts() if not part.awaited] == ["predictor"]


def test_without_a_model_the_mapper_is_told_of_none(plan: Layout) -> None:
    assert "make model" in by_name(plan)["predictor"].absent
    assert "MAPPER_PREDICTOR_URL" not in by_name(plan)["mapper"].environment


def test_with_a_model_the_mapper_is_told_where_it_is(plan: Layout, checkout: Path) -> None:
    for made in (checkout / ".venv-model" / "bin" / "python", plan.merged / "model.safetensors"):
        made.parent.mkdir(parents=True)
        made.touch()
    parts = by_name(plan)
    assert parts["predictor"].absent == ""
    assert "PYTHONPATH" not in parts["predictor"].environment
    assert parts["mapper"].environment["MAPPER_PREDICTOR_URL"] == plan.url("predictor")
    assert parts["mapper"].environment["MAPPER_ADAPTER"].endswith("/adapter")


def test_a_function_runs_in_the_frameworks_asynchronous_application(plan: Layout, checkout: Path) -> None:
    record = by_name(plan)["record"]
    assert record.command[1:4] == ("-m", "uvicorn", "functions_framework.aio:app")
    assert record.environment["FUNCTION_TARGET"] == "handle"
    assert record.environment["FUNCTION_SOURCE"] == str(checkout / "functions" / "record" / "main.py")


def test_everything_listens_on_the_loopback_alone(plan: Layout) -> None:
    for part in plan.parts():
        hosts = [value for name, value in part.environment.items() if name in ("MAPPER_HOST", "BROKER_HOST")]
        assert "127.0.0.1" in (*part.command, *hosts)


def test_the_parts_find_each_other(plan: Layout) -> None:
    environment = by_name(plan)["orchestrate"].environment
    assert environment["K_SINK"] == "http://127.0.0.1:18090/llama-mapper/default"
    assert environment["ORCHESTRATION_DETECT_URL"] == "http://127.0.0.1:18091"
    assert environment["LLAMA_MAPPER_ANALYZE_URL"] == "http://127.0.0.1:18001"
    assert by_name(plan)["broker"].environment["BROKER_REDIS_URL"] == "redis://127.0.0.1:18093/0"
    assert by_name(plan)["record"].environment["RECORD_DSN"] == f"chdb://{plan.directory.analytics}"


def test_children_may_write_bytecode(plan: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    functions = [part for part in plan.parts() if part.name != "valkey"]
    assert all("PYTHONDONTWRITEBYTECODE" not in part.environment for part in functions)


def test_a_setting_of_the_caller_reaches_the_parts(plan: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETECT_PRELOAD", "[]")
    assert by_name(plan)["detect"].environment["DETECT_PRELOAD"] == "[]"


def test_a_missing_function_is_absent_with_its_file_named(plan: Layout, checkout: Path) -> None:
    (checkout / "functions" / "console" / "main.py").unlink()
    assert by_name(plan)["console"].absent == "functions/console/main.py is not there"
    assert by_name(plan)["record"].absent == ""


def test_the_checkout_named_by_the_environment_is_taken(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(layout.HOME, str(checkout))
    assert layout.find_root() == checkout


def test_a_folder_without_functions_is_no_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(layout.HOME, str(tmp_path))
    with pytest.raises(CannotRun, match="run this from a checkout, or set LLAMA_MAPPER_HOME"):
        layout.find_root()
