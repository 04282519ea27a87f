"""pip's settings reach a build as secrets: folders of this machine are served, nothing else of it is."""

from pathlib import Path

import httpx
import pytest

from tests.images.package_index import PackageIndex, open_index


def settings_handed(index: PackageIndex) -> dict[str, str]:
    """The lines of the pip.conf that the build is given."""
    secret = next(one for one in index.arguments if one.startswith("id=pip.conf,src="))
    lines = Path(secret.partition("src=")[2]).read_text("utf-8").splitlines()
    return {name: value for name, _, value in (line.partition(" = ") for line in lines[1:])}


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_CERT"):
        monkeypatch.delenv(name, raising=False)


def test_a_folder_of_wheels_is_served_and_its_neighbours_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "one-1.0-py3-none-any.whl").write_text("a wheel")
    (tmp_path / "secret.txt").write_text("not for builds")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    with open_index() as index:
        url = settings_handed(index)["find-links"]
        assert url.startswith("http://127.0.0.1:")
        assert httpx.get(f"{url}/one-1.0-py3-none-any.whl").text == "a wheel"
        assert httpx.get(f"{url}/../secret.txt").status_code == 404
        assert httpx.get(f"{url}/%2e%2e/secret.txt").status_code == 404
    assert str(wheels) in index.traces


def test_an_index_of_ones_own_is_handed_on_and_must_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:word@packages.example.com/simple")
    with open_index() as index:
        assert settings_handed(index)["index-url"] == "https://user:word@packages.example.com/simple"
    assert "packages.example.com" in index.traces


def test_the_settings_are_gone_when_the_builds_are_done() -> None:
    with open_index() as index:
        assert settings_handed(index)["cert"]
    secret = next(one for one in index.arguments if one.startswith("id=pip.conf,src="))
    assert not Path(secret.partition("src=")[2]).exists()
