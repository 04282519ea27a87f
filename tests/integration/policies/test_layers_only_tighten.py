"""Whatever is configured for a tenant, no answer is milder than without it: in our engine and in OPA's."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip(
    "opa_bindings",
    reason="OPA is not installed: pip install --no-deps --ignore-requires-python opa-golib-python-bindings==0.4.4",
)

from tests.fakes.policy_engines import SHIPPED, Engines
from tests.fakes.tenant_layers import CIRCUMSTANCES, IDS, LABELS, LAYER, SHARE

LONG = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ACTIONS = ["allow", "flag", "redact", "human_review", "block"]
PRIORITIES = ["low", "normal", "high", "critical"]
TENANT = st.sampled_from(["demo", "made"])
FINDING = st.fixed_dictionaries(
    {
        "label": st.sampled_from([*LABELS, "OTHER.Unknown"]),
        "confidence": SHARE,
        "severity": st.integers(0, 4),
        "detectors": st.integers(1, 3),
    }
)


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    both = Engines(SHIPPED)
    yield both
    both.close()


Ask = Callable[[str, dict[str, Any]], Any]


@pytest.fixture(scope="module")
def ask(engines: Engines) -> Ask:
    """Ask both engines, which must agree."""

    def asked(name: str, question: dict[str, Any]) -> Any:
        ours, opas = engines.both(f"llama_mapper.{name}.{name}", question)
        assert ours == opas
        return ours

    return asked


@st.composite
def layered(draw: st.DrawFn, fields: dict[str, st.SearchStrategy[Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A question without what the tenant's administrators configured, and with it; the platform's part stands in both.

    Or without any configuration and with the platform's, for a tenant that has an entry of its own.
    """
    question = draw(CIRCUMSTANCES) | draw(st.fixed_dictionaries({"tenant_id": TENANT, **fields}))
    platform, own = draw(LAYER), draw(LAYER)
    if question["tenant_id"] == "demo" and draw(st.booleans()):
        return question, question | {"tenant": {"platform": platform}}
    return question | {"tenant": {"platform": platform}}, question | {"tenant": {"platform": platform, "own": own}}


def test_a_decision_is_never_milder_and_obliges_to_no_less(ask: Ask) -> None:
    fields = {
        "findings": st.lists(FINDING, max_size=4),
        "coverage": st.fixed_dictionaries({"score": SHARE, "missing": st.just([])}),
    }

    @LONG
    @given(layered(fields))
    def holds(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
        without, given_ = (ask("decision", question) for question in pair)
        assert ACTIONS.index(given_["action"]) >= ACTIONS.index(without["action"])
        assert set(given_["obligations"]) >= set(without["obligations"])
        assert set(given_["reasons"]) >= set(without["reasons"])
        assert given_["retention_days"] <= without["retention_days"]

    holds()


def test_no_detector_is_left_out(ask: Ask) -> None:
    fields = {
        "available": IDS,
        "excluded": IDS,
        "required": IDS,
        "named": st.one_of(st.none(), IDS),
        "processing_mode": st.sampled_from(["standard", "fast", "thorough"]),
    }

    @LONG
    @given(layered(fields))
    def holds(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
        without, given_ = (ask("selection", question) for question in pair)
        assert set(given_["detectors"]) >= set(without["detectors"])
        assert set(given_["required"]) >= set(without["required"])
        if without["detectors"]:
            assert given_["coverage_method"] == without["coverage_method"]

    holds()


def test_nobody_is_let_in_who_was_not(ask: Ask) -> None:
    fields = {
        "authenticated": st.booleans(),
        "content_characters": st.sampled_from([0, 1, 10, 11, 49_999, 50_000, 50_001]),
        "priority": st.sampled_from(PRIORITIES),
    }

    @LONG
    @given(layered(fields))
    def holds(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
        without, given_ = (ask("admission", question) for question in pair)
        assert set(given_["reasons"]) >= set(without["reasons"])
        assert without["allow"] or not given_["allow"]
        assert PRIORITIES.index(given_["priority"]) <= PRIORITIES.index(without["priority"])

    holds()


def test_nobody_may_do_what_they_might_not(ask: Ask) -> None:
    principal = st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["key", "open"]),
            "tenants": st.lists(st.sampled_from(["demo", "made", "*"]), max_size=2),
            "scopes": st.just(["orchestrate:use", "tenants:write"]),
            "amr": st.sampled_from([[], ["otp"]]),
            "acr": st.none(),
            "age_seconds": st.just(1),
        }
    )

    @LONG
    @given(layered({"principal": principal, "action": st.sampled_from(["orchestrate:use", "tenants:write"])}))
    def holds(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
        without, given_ = (ask("access", question) for question in pair)
        assert set(given_["reasons"]) >= set(without["reasons"])

    holds()


def test_no_operator_is_added(ask: Ask) -> None:
    fields = {"asked": st.sampled_from([None, "mask", "hash", "token"]), "obligations": st.just(["mask_spans"])}

    @LONG
    @given(layered(fields))
    def holds(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
        without, given_ = (ask("redaction", question) for question in pair)
        assert without["allow"] or not given_["allow"]
        assert given_["operator"] in (None, without["operator"])

    holds()


LOOSER: dict[str, Callable[[Any, Any], bool]] = {
    "max_content_characters": lambda now, before: now > before,
    "max_priority": lambda now, before: PRIORITIES.index(now) > PRIORITIES.index(before),
    "requests_per_minute": lambda now, before: before is not None and (now is None or now > before),
    "requests_per_day": lambda now, before: before is not None and (now is None or now > before),
    "confidence": lambda now, before: now > before,
    "coverage": lambda now, before: now < before,
    "extra_detectors": lambda now, before: not set(now) >= set(before),
    "required_detectors": lambda now, before: not set(now) >= set(before),
    "redaction_operators": lambda now, before: not set(now) <= set(before),
    "callback_hosts": lambda now, before: before is not None and (now is None or not set(now) <= set(before)),
    "enabled": lambda now, before: now and not before,
    "key_required": lambda now, before: before and not now,
}


def test_no_rule_is_looser_and_every_field_that_tried_is_named(ask: Ask) -> None:
    @LONG
    @given(layered({}))
    def holds(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
        before, after = pair
        before = before if "tenant" in before else before | {"tenant": {}}
        proposed = after["tenant"].get("own", after["tenant"]["platform"])
        without, given_ = ask("tenancy", before | {"proposed": proposed}), ask("tenancy", after)
        for name, looser in LOOSER.items():
            assert not looser(given_["rules"].get(name), without["rules"].get(name)), name
        for name, looser in LOOSER.items():
            field = f"thresholds.{name}" if name in ("confidence", "coverage") else name
            said = proposed.get("thresholds", {}).get(name) if "." in field else proposed.get(name)
            if said is None or name in ("extra_detectors", "required_detectors"):
                continue
            assert (field in without["ignored"]) == looser(said, without["rules"].get(name)), field

    holds()


def test_this_would_notice_a_policy_that_loosens(ask: Ask) -> None:
    """A layer that is looser in every field changes nothing: what the tests above compare is not the same by chance."""
    question = {"tenant_id": "demo", "findings": [], "coverage": {"score": 0.85}}
    stricter = question | {"tenant": {"own": {"thresholds": {"coverage": 0.9}}}}
    looser = question | {"tenant": {"own": {"thresholds": {"coverage": 0.0, "confidence": 1.0}, "retention_days": 400}}}
    assert ask("decision", stricter)["action"] == "human_review"
    assert ask("decision", looser) == ask("decision", question) | {"action": "allow"}
