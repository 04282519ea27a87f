"""A verdict in a condition's words."""

from datetime import UTC, datetime
from typing import Any

import pytest

from functions.promote.conditions import conditions
from functions.promote.judging import Decision, Reason, Verdict
from functions.promote.words import line, reason, said
from llama_mapper.contracts.canaries import Calls, Canary, CanarySpec, CanaryStatus, Phase

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 20, 10, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("decision", "asks", "reasons", "word"),
    [
        ("promote", False, (), "NotWorse"),
        ("roll_back", False, ({"measure": "errors", "says": "worse"},), "WorseErrors"),
        ("roll_back", False, ({"measure": "golden", "says": "failed"},), "FailedGolden"),
        ("hold", False, ({"measure": "golden", "says": "missing"},), "MissingGolden"),
        ("hold", False, ({"measure": "slow", "says": "open"},), "Collecting"),
        ("hold", False, (), "Collecting"),
        ("hold", True, ({"measure": "slow", "says": "open"},), "Undecided"),
    ],
)
def test_each_verdict_has_one_word(decision: Decision, asks: bool, reasons: tuple[Any, ...], word: str) -> None:
    verdict = Verdict(
        decision=decision, next_percent=0, asks=asks, reasons=tuple(Reason.model_validate(one) for one in reasons)
    )
    assert reason(verdict) == word
    assert said(verdict, Calls(stable=1, candidate=1), NOW).reason == word


def test_a_line_says_both_values_their_difference_and_what_is_missing() -> None:
    one = Reason(
        measure="drift", says="open", pillar="PII", stable=0.25, canary=0.5, low=-0.01, high=0.4, missing_calls=90
    )
    assert line(one) == "drift: open; PII; 0.5 against 0.25; worse by -0.01 to 0.4; about 90 more calls needed"


def canary(phase: Phase, *known: Any) -> Canary:
    return Canary(
        name="mapper",
        namespace="llama-mapper",
        uid="1",
        generation=3,
        resource_version="7",
        created_at=NOW,
        spec=CanarySpec(inference_service="mapper", storage_uri="s3://bucket/candidate"),
        status=CanaryStatus(phase=phase, conditions=known),
    )


@pytest.mark.parametrize(
    ("phase", "why", "truths"),
    [
        ("Pending", "NotReady", ("True", "False", "False")),
        ("Progressing", "Collecting", ("True", "False", "False")),
        ("Progressing", "TakenOver", ("False", "False", "False")),
        ("Promoted", "NotWorse", ("False", "True", "False")),
        ("RolledBack", "WorseErrors", ("False", "False", "True")),
    ],
)
def test_conditions_say_where_a_canary_stands(phase: Phase, why: str, truths: tuple[str, ...]) -> None:
    found = conditions(canary(phase), canary(phase).status, why, "", NOW)
    assert tuple(one.status for one in found) == truths
    assert {one.observed_generation for one in found} == {3}


def test_a_condition_keeps_its_time_until_it_turns() -> None:
    first = conditions(canary("Progressing"), canary("Progressing").status, "Collecting", "", NOW)
    one = canary("Progressing", *first)
    again = conditions(one, one.status, "Paused", "", LATER)
    assert {c.type: c.last_transition_time for c in again} == dict.fromkeys(
        ("Progressing", "Promoted", "RolledBack"), NOW
    )
    over = conditions(one, one.status.model_copy(update={"phase": "Promoted"}), "NotWorse", "", LATER)
    turned = {c.type: c.last_transition_time for c in over}
    assert turned == {"Progressing": LATER, "Promoted": LATER, "RolledBack": NOW}
