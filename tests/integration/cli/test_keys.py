"""`llama-mapper keys` and `audit` on a real Valkey, as who runs the system uses them."""

import json
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from typer.testing import CliRunner, Result

from llama_mapper.chassis.sealing import Sealer, new_keyset
from llama_mapper.cli.main import app


@pytest.fixture(autouse=True)
def _store(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Redis.from_url(url) as redis:
        redis.flushdb()
    monkeypatch.setenv("ORCHESTRATION_REDIS_URL", url)
    monkeypatch.setenv("ORCHESTRATION_PEPPER", "p" * 32)
    monkeypatch.setenv("ORCHESTRATION_KEYSET", new_keyset())


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def made(*words: str) -> tuple[str, str]:
    """The id and the key of a new key."""
    result = run("keys", "create", *words)
    assert result.exit_code == 0, result.output
    secret = result.stdout.strip()
    return secret.split("_")[1], secret


def listed(*words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("keys", "list", "--json", *words).stdout)["keys"]
    return found


def test_a_key_is_shown_once_and_listed_without_itself() -> None:
    key_id, secret = made("ci", "--scope", "orchestrate:use", "--scope", "jobs:use", "--days", "7")
    result = run("keys", "list")
    assert key_id in result.stdout
    assert secret.split("_", 2)[2] not in result.stdout
    assert [(one["name"], one["scopes"]) for one in listed()] == [("ci", ["orchestrate:use", "jobs:use"])]


def test_tenants_have_their_own() -> None:
    made("ci", "--tenant", "other")
    assert run("keys", "list").stdout.strip() == "no keys"
    assert len(listed("--tenant", "other")) == 1


def test_the_platform_has_keys_of_its_own_and_a_log() -> None:
    key_id, _ = made("ops", "--tenant", "*", "--scope", "tenants:write")
    assert [(one["id"], one["tenant_id"]) for one in listed("--tenant", "*")] == [(key_id, "*")]
    assert run("keys", "enrol", key_id, "--tenant", "*").exit_code == 0
    assert listed() == []
    assert run("audit", "verify", "--tenant", "*").stdout.startswith("2 entries")


@pytest.mark.parametrize("words", [("bad!name",), ("ci", "--scope", "everything"), ("ci", "--scope", "")])
def test_what_is_wrong_is_named_with_what_would_be_right(words: tuple[str, ...]) -> None:
    result = run("keys", "create", *words)
    assert result.exit_code != 0
    assert "scopes are orchestrate:use" in result.stderr


def test_a_rotated_key_names_its_follower_and_a_revoked_one_ends() -> None:
    key_id, _ = made("ci")
    follower = run("keys", "rotate", key_id).stdout.strip().split("_")[1]
    assert {one["id"]: one["replaced_by"] for one in listed()} == {key_id: follower, follower: None}
    assert run("keys", "revoke", follower).exit_code == 0
    assert [one["id"] for one in listed() if one["revoked_at"]] == [follower]


@pytest.mark.parametrize("act", ["rotate", "revoke", "enrol"])
def test_a_key_that_is_not_there_or_anothers_is_refused(act: str) -> None:
    key_id, _ = made("ci", "--tenant", "other")
    for wanted in (key_id, "z" * 12):
        result = run("keys", act, wanted)
        assert (result.exit_code != 0, result.stderr.strip()) == (True, "error: no such key")


def test_enrolling_prints_what_a_qr_code_holds() -> None:
    key_id, _ = made("ci")
    assert run("keys", "enrol", key_id).stdout.startswith("otpauth://totp/")


def test_every_act_is_in_the_audit_log_and_tampering_is_told(url: str) -> None:
    key_id, _ = made("ci")
    run("keys", "enrol", key_id)
    run("keys", "revoke", key_id)
    assert run("audit", "verify").stdout.startswith("3 entries, none changed; last hash ")
    acts = [one["entry"]["act"] for one in json.loads(run("audit", "show", "--json").stdout)["records"]]
    assert acts == ["key.created", "code.enrolled", "key.revoked"]
    with Redis.from_url(url) as redis:
        name = "identity:audit:demo"
        second = redis.lindex(name, 1)
        assert isinstance(second, bytes)
        redis.lset(name, 1, second.replace(b"code.enrolled", b"policies.changed").decode())
    result = run("audit", "verify")
    assert (result.exit_code != 0, result.stderr.strip()) == (True, "error: entry 2 was changed")


def test_a_keyset_follows_another_and_opens_what_that_sealed(tmp_path: Path) -> None:
    before = run("keys", "keyset").stdout
    (tmp_path / "keyset.json").write_text(before)
    after = run("keys", "keyset", "--after", str(tmp_path / "keyset.json")).stdout
    assert Sealer(after).open(Sealer(before).seal(b"kept", "demo"), "demo") == b"kept"
    (tmp_path / "keyset.json").write_text("none")
    assert run("keys", "keyset", "--after", str(tmp_path / "keyset.json")).exit_code != 0


def test_without_the_store_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATION_REDIS_URL", "redis://127.0.0.1:1/0")
    result = run("keys", "list")
    assert (result.exit_code != 0, result.stderr.strip()) == (True, "error: the key store does not answer")
