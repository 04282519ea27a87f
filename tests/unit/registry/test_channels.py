from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llama_mapper.registry import (
    ChannelEmpty,
    Keyring,
    LostRace,
    Registry,
    RegistryError,
    SigningKey,
    UnknownVersion,
    Unreachable,
    Untrusted,
    promote,
    publish,
    read_channel,
    rollback,
)
from tests.fakes.experiments import experiment
from tests.fakes.storages import AnswerLost, Breaking, Interrupted

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
Promote = Callable[..., str]


@pytest.fixture(autouse=True)
def _three_versions(registry: Registry, tmp_path: Path, key: SigningKey) -> None:
    for name in ("v1", "v2", "v3"):
        publish(registry, experiment(tmp_path / name, version=name, weights=name.encode()), key)


@pytest.fixture
def promoted(registry: Registry, trusted: Keyring) -> Promote:
    """Promote to production and return what is in use then."""

    def promote_one(version: str) -> str:
        return promote(registry, version, trusted, who="ada").version

    return promote_one


def test_a_promotion_says_who_when_why_and_what_was_before(registry: Registry, trusted: Keyring) -> None:
    promote(registry, "v1", trusted, who="ada", now=lambda: NOW)
    promote(registry, "v2", trusted, who="bob", why="better on new vendors", now=lambda: NOW)
    channel = read_channel(registry, "production")
    assert channel is not None
    assert channel.version == "v2"
    assert [change.model_dump() for change in channel.history] == [
        {"action": "promote", "version": "v1", "previous": None, "at": NOW, "who": "ada", "why": None},
        {
            "action": "promote",
            "version": "v2",
            "previous": "v1",
            "at": NOW,
            "who": "bob",
            "why": "better on new vendors",
        },
    ]


def test_channels_move_apart(registry: Registry, trusted: Keyring) -> None:
    promote(registry, "v1", trusted, who="ada")
    promote(registry, "v2", trusted, who="ada", channel="canary")
    assert [getattr(read_channel(registry, name), "version", None) for name in ("production", "canary")] == ["v1", "v2"]


def test_what_a_channel_uses_can_be_promoted_by_the_channels_name(registry: Registry, trusted: Keyring) -> None:
    promote(registry, "v2", trusted, who="ada", channel="canary")
    assert promote(registry, "canary", trusted, who="ada").version == "v2"


def test_rollbacks_go_back_one_promotion_each_until_the_first(
    registry: Registry, trusted: Keyring, promoted: Promote
) -> None:
    for version in ("v1", "v2", "v3"):
        promoted(version)
    assert rollback(registry, trusted, who="ada").version == "v2"
    assert rollback(registry, trusted, who="ada", why="still wrong").version == "v1"
    with pytest.raises(ChannelEmpty, match="production has no earlier version"):
        rollback(registry, trusted, who="ada")
    channel = read_channel(registry, "production")
    assert channel is not None
    assert [(change.action, change.previous) for change in channel.history[-2:]] == [
        ("rollback", "v3"),
        ("rollback", "v2"),
    ]


def test_after_a_rollback_the_version_taken_back_is_no_step_of_the_way(
    registry: Registry, trusted: Keyring, promoted: Promote
) -> None:
    promoted("v1")
    promoted("v2")
    rollback(registry, trusted, who="ada")
    promoted("v3")
    assert rollback(registry, trusted, who="ada").version == "v1"


def test_nothing_can_be_rolled_back_where_nothing_was_promoted(registry: Registry, trusted: Keyring) -> None:
    with pytest.raises(ChannelEmpty):
        rollback(registry, trusted, who="ada")
    with pytest.raises(ChannelEmpty, match="nothing was promoted to canary yet"):
        promote(registry, "canary", trusted, who="ada")


@pytest.mark.parametrize("name", ["v4", "../v1", "", "v1/"])
def test_an_unknown_version_is_not_promoted(registry: Registry, trusted: Keyring, name: str) -> None:
    with pytest.raises(UnknownVersion):
        promote(registry, name, trusted, who="ada")


def test_an_unfinished_version_is_not_promoted(
    registry: Registry, trusted: Keyring, key: SigningKey, tmp_path: Path
) -> None:
    with pytest.raises(Unreachable):
        publish(Registry(Breaking(registry.storage, after=7)), experiment(tmp_path / "v4", version="v4"), key)
    with pytest.raises(UnknownVersion):
        promote(registry, "v4", trusted, who="ada")


def test_a_version_of_an_untrusted_key_is_not_promoted(registry: Registry) -> None:
    with pytest.raises(Untrusted, match="not trusted here"):
        promote(registry, "v1", Keyring(SigningKey.generate().public), who="ada")
    assert read_channel(registry, "production") is None


def test_a_version_that_was_tampered_with_is_not_gone_back_to(
    registry: Registry, trusted: Keyring, promoted: Promote, tmp_path: Path
) -> None:
    promoted("v1")
    promoted("v2")
    (tmp_path / "registry" / "models" / "mapper" / "v1" / "card.json").write_text("{}")
    with pytest.raises(Untrusted, match=r"v1: card\.json is not what was signed"):
        rollback(registry, trusted, who="ada")


def test_what_is_in_use_is_not_promoted_again(promoted: Promote) -> None:
    promoted("v1")
    with pytest.raises(RegistryError, match="production uses v1 already"):
        promoted("v1")


@pytest.mark.parametrize(
    ("who", "why"), [("", None), ("two words", None), ("ada", ""), ("ada", "two\nlines"), ("ada", "x" * 301)]
)
def test_who_and_why_are_short_lines(registry: Registry, trusted: Keyring, who: str, why: str | None) -> None:
    with pytest.raises(RegistryError, match="who and why are short lines"):
        promote(registry, "v1", trusted, who=who, why=why)


@pytest.mark.parametrize("before", [(), ("v3",)], ids=["first", "later"])
def test_of_two_promotions_at_once_one_is_refused(
    registry: Registry, trusted: Keyring, promoted: Promote, before: tuple[str, ...]
) -> None:
    for version in before:
        promoted(version)
    storage = Interrupted(registry.storage, suffix="production.json", meanwhile=lambda: promoted("v1"))
    with pytest.raises(LostRace, match="somebody else changed production meanwhile; it uses v1 now"):
        promote(Registry(storage), "v2", trusted, who="bob")
    channel = read_channel(registry, "production")
    assert channel is not None
    assert [change.version for change in channel.history] == [*before, "v1"]


def test_a_rollback_that_meets_a_promotion_is_refused(registry: Registry, trusted: Keyring, promoted: Promote) -> None:
    promoted("v1")
    promoted("v2")
    storage = Interrupted(registry.storage, suffix="production.json", meanwhile=lambda: promoted("v3"))
    with pytest.raises(LostRace):
        rollback(Registry(storage), trusted, who="bob")


@pytest.mark.parametrize("before", [(), ("v1",)], ids=["first", "later"])
def test_a_promotion_whose_answer_got_lost_is_a_success(
    registry: Registry, trusted: Keyring, promoted: Promote, before: tuple[str, ...]
) -> None:
    for version in before:
        promoted(version)
    storage = AnswerLost(registry.storage, suffix="production.json")
    assert promote(Registry(storage), "v2", trusted, who="ada").version == "v2"
    channel = read_channel(registry, "production")
    assert channel is not None
    assert len(channel.history) == len(before) + 1


@pytest.mark.parametrize("content", ["{", "{}", '{"name": "production", "version": "v1", "history": []}'])
def test_a_broken_channel_is_neither_read_nor_overwritten(
    registry: Registry, trusted: Keyring, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "registry" / "channels" / "production.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(Untrusted, match="the file of the channel production is broken"):
        promote(registry, "v1", trusted, who="ada")
    assert path.read_text() == content


def test_a_channels_file_under_anothers_name_is_refused(registry: Registry, trusted: Keyring, tmp_path: Path) -> None:
    promote(registry, "v1", trusted, who="ada")
    folder = tmp_path / "registry" / "channels"
    (folder / "canary.json").write_bytes((folder / "production.json").read_bytes())
    with pytest.raises(Untrusted, match="that of another"):
        read_channel(registry, "canary")
