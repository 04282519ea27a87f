"""What is kept of a label that waits, when it comes for the first time and when it comes again."""

from typing import Any

import pytest

from llama_mapper.contracts.mapping import VendorFinding
from mapper_serving.resolution import Resolution
from mapper_serving.reviews import Doubted, doubt, identity_of, is_about, noted, noted_again
from tests.fakes.mapping import finding, resolved
from tests.fakes.reviews import AT, UNSURE, candidates

SAID = finding("EMAIL", "tool", "1", description="an address")


@pytest.mark.parametrize(
    "changed",
    [
        finding("EMAIL", "tools", "1", description="an address"),
        finding("EMAIL", "tool", "2", description="an address"),
        finding("EMAILS", "tool", "1", description="an address"),
        finding("EMAIL", "tool", "1", description="addresses"),
        finding("EMAIL", "tool", "1"),
    ],
)
def test_another_label_has_another_key_and_is_not_meant(changed: VendorFinding) -> None:
    assert identity_of(changed) != identity_of(SAID)
    assert not is_about(noted(SAID, UNSURE, AT), changed)


def test_one_occurrence_and_the_kind_do_not_make_another_label() -> None:
    other = finding("EMAIL", "tool", "1", description="an address", kind="pii", score=0.3, raw_ref="r/1")
    assert identity_of(other) == identity_of(SAID)
    assert is_about(noted(SAID, UNSURE, AT), other)


def test_a_key_shows_no_word_and_can_be_typed() -> None:
    key = identity_of(SAID)
    assert (len(key), "email" in key) == (16, False)


def test_what_is_kept_is_the_label_and_the_doubt_and_nothing_of_the_occurrence() -> None:
    item = noted(finding("EMAIL", "tool", "1", kind="pii", severity="HIGH", raw_ref="r/1"), UNSURE, AT)
    assert item.model_dump(exclude={"id", "candidates"}, exclude_none=True) == {
        "detector": "tool",
        "detector_version": "1",
        "label": "EMAIL",
        "kind": "pii",
        "count": 1,
        "reason": "below_threshold",
        "adapter": "lora.1",
        "first_seen": AT,
        "last_seen": AT,
    }
    assert item.candidates == UNSURE.candidates


AWAY = Doubted("model_away", candidates("HARM"), "lora.1")
NOBODY = Doubted("unknown")
NEWER = Doubted("below_threshold", candidates("PII"), "lora.2")


@pytest.mark.parametrize(
    ("first", "then", "kept"),
    [
        (UNSURE, NEWER, NEWER),
        (UNSURE, AWAY, UNSURE),
        (UNSURE, NOBODY, UNSURE),
        (AWAY, UNSURE, UNSURE),
        (AWAY, NOBODY, AWAY),
        (NOBODY, AWAY, AWAY),
        (NOBODY, Doubted("model_away"), Doubted("model_away")),
        (AWAY, Doubted("model_away", candidates("BIAS")), Doubted("model_away", candidates("BIAS"))),
    ],
)
def test_what_the_model_said_is_not_lost_while_it_is_away(first: Doubted, then: Doubted, kept: Doubted) -> None:
    item = noted_again(noted(SAID, first, AT), SAID, then)
    assert (item.reason, item.candidates, item.adapter) == (kept.reason, kept.candidates, kept.adapter)


@pytest.mark.parametrize(("first", "then", "kept"), [(None, "pii", "pii"), ("pii", None, "pii"), ("pii", "ner", "pii")])
def test_the_kind_is_the_first_that_was_said(first: str | None, then: str | None, kept: str) -> None:
    item = noted_again(noted(finding("A", kind=first), NOBODY, AT), finding("A", kind=then), NOBODY)
    assert item.kind == kept


def test_what_a_rule_said_below_the_threshold_is_what_the_label_might_be() -> None:
    rule = Resolution(labels=resolved("HARM", 0.7).labels, method="rule")
    doubted = doubt(rule)
    assert [(one.label, one.confidence, one.relation) for one in doubted.candidates] == [("HARM", 0.7, "exact")]
    assert (doubted.reason, doubted.adapter) == ("below_threshold", None)


@pytest.mark.parametrize(
    ("resolution", "reason"),
    [
        (None, "unknown"),
        (resolved(), "below_threshold"),
        (resolved().model_copy(update={"method": "cache"}), "below_threshold"),
        (Resolution(labels=(), method="fallback"), "model_away"),
    ],
)
def test_the_reason_is_who_was_not_sure(resolution: Resolution | None, reason: Any) -> None:
    assert doubt(resolution).reason == reason
