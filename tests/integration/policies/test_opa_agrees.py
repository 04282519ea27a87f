"""The policies mean the same to OPA itself and to the engine in our process, on sound input and on broken input."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.orchestrate.policies.rego import POLICIES
from llama_mapper.taxonomy import load

opa_bindings = pytest.importorskip(
    "opa_bindings",
    reason="OPA is not installed: pip install --no-deps --ignore-requires-python opa-golib-python-bindings==0.4.4",
)

from tests.fakes.policy_engines import FOLDER, SHIPPED, Engines  # noqa: E402
from tests.fakes.tenant_layers import CIRCUMSTANCES, LAYER, LAYERS  # noqa: E402

TESTS = sorted(FOLDER.rglob("*_test.rego"))
BROKEN = {
    "access": {"administrative": "keys:write", "step_up": {"amr": "otp", "acr": None}},
    "redaction": {
        "labels": ["PII"],
        "min_confidence": "0.5",
        "operators": "mask",
        "tenants": {"shut": True, "keyed": {"operators": ["token"], "unasked": "token"}, "demo": {"unasked": "shred"}},
    },
    "tenants": {"demo": {}, "shut": {"enabled": False}, "keyed": {"enabled": True, "key_required": True}},
    "tenant_defaults": {"enabled": True, "key_required": "no", "max_content_characters": "many"},
    "priorities": {"most": "urgent", "excess": "refuse"},
    "routes": {"chat": {"add": "presidio", "coverage": "1", "labels": {}}, "mail": None},
    "data_classes": {
        "order": ["public", "restricted"],
        "default": 7,
        "rules": {"restricted": {"require": ["presidio"], "labels": [{"label": "PII"}], "retention_days": "9"}},
    },
    "retention": {"least_days": 50, "most_days": 20},
    "selection": {
        "coverage_method": "WEIGHTED",
        "profiles": {"standard": {"detectors": ["presidio", "tox-block"], "required": ["jailguard"]}},
        "content_types": {"code": {"drop": ["tox-block"]}},
    },
    "decision": {
        "thresholds": {"confidence": 0.5, "coverage": 0.8},
        "labels": [
            {"label": "PII", "min_severity": 2, "action": "blok", "code": "pii", "obligations": []},
            {"label": "HARM", "min_severity": 1, "action": "block", "min_detectors": 2, "code": "h", "obligations": []},
            {"label": "IP", "min_severity": 1, "action": "block", "min_detectors": 2, "otherwise": "?", "code": "i"},
            {"label": "SECRET", "min_severity": 0, "action": "flag", "code": "secret", "obligations": ["z", "a"]},
        ],
    },
}


@pytest.fixture(scope="module", params=["shipped", "broken"])
def engines(request: pytest.FixtureRequest) -> Iterator[Engines]:
    both = Engines(SHIPPED if request.param == "shipped" else BROKEN)
    yield both
    both.close()


LABELS = [label.name for label in load().labels]
DETECTORS = st.lists(st.sampled_from(["presidio", "tox-block", "jailguard", "detect-secrets", "elsewhere", ""]))
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=3), st.just([]), st.just({}), st.just([1])
)
# Fractions with few digits, as our own findings have: how an engine reads the seventeenth digit is not our business.
SHARE = st.integers(0, 10_000).map(lambda n: n / 10_000)
FINDING = st.fixed_dictionaries(
    {
        "label": st.one_of(st.sampled_from(LABELS), st.sampled_from(["PII.New", "PIIX", "OTHER.Unknown", ""])),
        "confidence": SHARE,
        "severity": st.integers(0, 4),
        "detectors": st.integers(0, 3),
    }
)
SCOPE = st.sampled_from(["orchestrate:use", "jobs:use", "keys:write", "tenants:write", "", "*"])
QUESTIONS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "access": st.fixed_dictionaries(
        {
            "tenant_id": st.sampled_from(["demo", "shut", "keyed", "", "__proto__"]),
            "action": SCOPE,
            "principal": st.fixed_dictionaries(
                {
                    "kind": st.sampled_from(["key", "token", "open", "cookie"]),
                    "tenants": st.lists(st.sampled_from(["demo", "keyed", "*", ""]), max_size=3),
                    "scopes": st.lists(SCOPE, max_size=4),
                    "amr": st.lists(st.sampled_from(["pwd", "otp", "mfa", ""]), max_size=3),
                    "acr": st.sampled_from([None, "phr", "0"]),
                    "age_seconds": st.sampled_from([None, -1, 0, 899.5, 900, 901]),
                }
            ),
        }
    ),
    "admission": st.fixed_dictionaries(
        {
            "tenant_id": st.sampled_from(["demo", "shut", "keyed", "Demo", "", "__proto__"]),
            "authenticated": st.booleans(),
            "content_characters": st.sampled_from([0, 1, 49_999, 50_000, 50_001]),
            "priority": st.sampled_from(["low", "normal", "high", "critical", "urgent"]),
        }
    ),
    "selection": st.fixed_dictionaries(
        {
            "processing_mode": st.sampled_from(["standard", "fast", "thorough", "async"]),
            "content_type": st.sampled_from(["text", "document", "code", "structured"]),
            "excluded": DETECTORS,
            "required": DETECTORS,
            "available": DETECTORS,
            "named": st.one_of(st.none(), DETECTORS),
        }
    ),
    "decision": st.fixed_dictionaries(
        {
            "tenant_id": st.just("demo"),
            "findings": st.lists(FINDING, max_size=5),
            "coverage": st.fixed_dictionaries({"score": SHARE, "missing": DETECTORS}),
        }
    ),
    "retention": st.fixed_dictionaries({"tenant_id": st.sampled_from(["demo", "shut", "made"])}),
    "tenancy": st.fixed_dictionaries(
        {"tenant_id": st.sampled_from(["demo", "shut", "keyed", "made", "__proto__"]), "proposed": LAYER}
    ),
    "redaction": st.fixed_dictionaries(
        {
            "tenant_id": st.sampled_from(["demo", "shut", "keyed", "", "__proto__"]),
            "asked": st.sampled_from([None, "mask", "hash", "token", "shred", ""]),
            "obligations": st.lists(st.sampled_from(["mask_spans", "rotate_secret", ""]), max_size=3),
        }
    ),
}


@st.composite
def sound(draw: st.DrawFn, name: str) -> Any:
    """A question, in most cases with what was configured for the tenant and said of the content."""
    question = draw(CIRCUMSTANCES) | draw(QUESTIONS[name])
    return question | {"tenant": draw(LAYERS)} if draw(st.booleans()) else question


@st.composite
def broken(draw: st.DrawFn, name: str) -> Any:
    """A question with some fields missing or of another type, the first finding's fields among them."""
    question = draw(sound(name))
    layers = question.get("tenant", {})
    places = [question, *question.get("findings", [])[:1], layers, *layers.values()]
    places += [label for layer in layers.values() for label in layer.get("labels", [])[:1]]
    places += [question[name] for name in ("principal", "proposed") if name in question]
    for place in places:
        for field in draw(st.lists(st.sampled_from(sorted(place)), unique=True)) if place else ():
            if draw(st.booleans()):
                del place[field]
            else:
                place[field] = draw(ODD)
    return question


LONG = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("name", POLICIES)
def test_both_engines_answer_sound_questions_alike(name: str, engines: Engines) -> None:
    @LONG
    @given(sound(name))
    def agree(question: Any) -> None:
        ours, opas = engines.both(f"llama_mapper.{name}.{name}", question)
        assert ours == opas
        assert ours not in (None, "refused")

    agree()


@pytest.mark.parametrize("name", POLICIES)
def test_both_engines_answer_broken_questions_alike(name: str, engines: Engines) -> None:
    @LONG
    @given(broken(name))
    def agree(question: Any) -> None:
        ours, opas = engines.both(f"llama_mapper.{name}.{name}", question)
        assert ours == opas

    agree()


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_the_policies_own_tests_hold_in_opa(path: Path) -> None:
    with closing(Engines(SHIPPED, path)) as engines:
        for name in re.findall(r"^(test_\w+)", path.read_text("utf-8"), re.MULTILINE):
            assert engines.both(f"llama_mapper.{path.stem}.{name}", {}) == (True, True), name
