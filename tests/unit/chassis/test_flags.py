"""Flags by the real provider, from real files."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llama_mapper.chassis import metrics
from llama_mapper.chassis.flags import Flags
from llama_mapper.contracts.flags import DEFAULTS, FLAG_NAMES, PURPOSES

pytest.importorskip("openfeature.contrib.provider.flagd", reason="flagd's provider is not installed")

SHIPPED = Path(__file__).parents[3] / "functions" / "orchestrate" / "flags.json"
OFF_FOR_ACME = {"if": [{"==": [{"var": "tenant"}, "acme"]}, "off", "on"]}


def document(**flags: Any) -> str:
    return json.dumps(
        {
            "flags": {
                name.replace("_", "-"): {
                    "state": "ENABLED",
                    "variants": {"on": True, "off": False},
                    "defaultVariant": "on",
                }
                | said
                for name, said in flags.items()
            }
        }
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "flags.json"


@pytest.fixture
def flags(path: Path) -> Iterator[Flags]:
    """Not loaded yet."""
    made = Flags(path, poll_seconds=0.01)
    yield made
    made.close()


def fallbacks() -> float:
    return metrics.REGISTRY.get_sample_value("llama_mapper_fallbacks_total", {"name": "flags.default"}) or 0.0


def test_the_shipped_file_says_what_holds_by_default() -> None:
    flags = Flags(SHIPPED)
    flags.load()
    flags.close()
    assert {name: flags.on(name, "demo") for name in FLAG_NAMES} == DEFAULTS
    assert set(json.loads(SHIPPED.read_text("utf-8"))["flags"]) == set(FLAG_NAMES) == set(PURPOSES)


def test_a_flag_is_turned_for_one_tenant(path: Path, flags: Flags) -> None:
    path.write_text(document(hedging={"targeting": OFF_FOR_ACME}))
    flags.load()
    assert (flags.on("hedging", "acme"), flags.on("hedging", "acme-2")) == (False, True)
    assert flags.evaluate("hedging", "acme").reason == "TARGETING_MATCH"


def test_a_flag_is_turned_by_priority_and_route(path: Path, flags: Flags) -> None:
    rule = {"and": [{"==": [{"var": "priority"}, "low"]}, {"==": [{"var": "route"}, "stream"]}]}
    path.write_text(document(model_mapper={"targeting": {"if": [rule, "off", "on"]}}))
    flags.load()
    said = [flags.on("model-mapper", "demo", route, priority) for route, priority in
            (("stream", "low"), ("stream", "high"), ("orchestrate", "low"))]  # fmt: skip
    assert said == [False, True, True]


def test_a_tenth_of_the_tenants_stays_a_tenth_and_the_same(path: Path, flags: Flags) -> None:
    path.write_text(document(detector_candidates={"targeting": {"fractional": [["on", 90], ["off", 10]]}}))
    flags.load()
    tenants = [f"tenant-{number}" for number in range(2000)]
    off = {tenant for tenant in tenants if not flags.on("detector-candidates", tenant)}
    assert 140 < len(off) < 260
    assert off == {tenant for tenant in tenants if not flags.on("detector-candidates", tenant)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"flags": []}',
        document(),
        document(hedging={"variants": {"on": "yes", "off": "no"}}),
        document(hedging={"defaultVariant": "nowhere"}),
        document(hedging={"targeting": {"if": [True, "nowhere"]}}),
        document(hedging={"targeting": {"no_such_rule": []}}),
    ],
)
def test_what_cannot_be_evaluated_has_its_default_and_is_counted(path: Path, flags: Flags, text: str) -> None:
    path.write_text(text)
    before = fallbacks()
    flags.load()
    assert flags.on("hedging", "demo") is True
    assert fallbacks() == before + 1


def test_without_a_file_the_defaults_hold_until_it_comes(path: Path, flags: Flags) -> None:
    flags.load()
    assert flags.on("response-cache", "demo") is True
    path.write_text(document(response_cache={"defaultVariant": "off"}))
    until(lambda: not flags.on("response-cache", "demo"))


def test_a_change_is_read_while_running_and_a_broken_one_leaves_the_last_good(path: Path, flags: Flags) -> None:
    path.write_text(document(hedging={}))
    flags.load()
    later = path.stat().st_mtime

    def write(text: str) -> None:
        nonlocal later
        later += 10
        path.write_text(text)
        os.utime(path, (later, later))

    write(document(hedging={"defaultVariant": "off"}))
    until(lambda: not flags.on("hedging", "demo"))
    write("{")
    until(lambda: "ERROR" in str(flags.status))
    assert flags.on("hedging", "demo") is False
    write(document(hedging={}))
    until(lambda: flags.on("hedging", "demo"))


def test_a_config_map_is_read_again_when_the_kubelet_turns_its_link(tmp_path: Path) -> None:
    for number, said in enumerate(("on", "off")):
        (tmp_path / f"..{number}").mkdir()
        path = tmp_path / f"..{number}" / "flags.json"
        path.write_text(document(hedging={"defaultVariant": said}))
        os.utime(path, (1_000_000 + number, 1_000_000 + number))
    (tmp_path / "..data").symlink_to("..0")
    (tmp_path / "flags.json").symlink_to("..data/flags.json")
    flags = Flags(tmp_path / "flags.json", poll_seconds=0.01)
    flags.load()
    assert flags.on("hedging", "demo") is True
    (tmp_path / "..new").symlink_to("..1")
    (tmp_path / "..new").rename(tmp_path / "..data")
    until(lambda: not flags.on("hedging", "demo"))
    flags.close()


def until(holds: Any) -> None:
    """Wait, ten seconds at most, until *holds*."""
    waiting = threading.Event()
    for _ in range(1000):
        if holds():
            return
        waiting.wait(0.01)
    raise AssertionError("did not happen")


def test_a_disabled_flag_has_its_default(path: Path, flags: Flags) -> None:
    path.write_text(document(hedging={"state": "DISABLED", "defaultVariant": "off"}))
    flags.load()
    assert flags.on("hedging", "demo") is True


def test_before_the_file_is_read_and_without_one_the_defaults_hold(flags: Flags) -> None:
    assert flags.on("hedging", "demo") is True
    nothing = Flags(None)
    nothing.start()
    assert nothing.on("hedging", "demo") is True
