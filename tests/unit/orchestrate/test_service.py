from dataclasses import replace
from typing import Any

import pytest

from functions.orchestrate.ports import Circumstances, Deadlines, Selection
from llama_mapper.contracts.detection import Detection, Span
from llama_mapper.contracts.identifiers import DetectorId
from llama_mapper.contracts.orchestration import OrchestrateRequest
from llama_mapper.contracts.problems import (
    AllDetectorsUnavailable,
    InsufficientRbac,
    InvalidRequest,
    Problem,
    Unauthorized,
    Unavailable,
)
from tests.fakes.orchestration import (
    Fakes,
    SayingDetect,
    SayingModelServers,
    SayingPolicy,
    detections,
    report,
)


def selection(*detectors: str, required: tuple[str, ...] | None = None, **rest: Any) -> Selection:
    wanted = tuple(DetectorId(name) for name in detectors)
    must = wanted if required is None else tuple(DetectorId(name) for name in required)
    return Selection(wanted, must, **({"method": "REQUIRED_SET"} | rest))


async def test_content_becomes_findings_a_decision_a_risk_and_an_event() -> None:
    fakes = Fakes(detect=SayingDetect(says={"words": report("words", "EMAIL")}), policy=SayingPolicy(action="redact"))
    answer = await fakes.judge()
    assert [found.label for found in answer.findings] == ["PII.Contact.Email"]
    assert (answer.decision.action, answer.coverage.score, answer.degraded) == ("redact", 1.0, ())
    assert answer.analysis is not None
    assert (answer.analysis.risk.score, answer.versions.frameworks) == (10.0, "2026.11")
    assert (answer.tenant_id, answer.correlation_id) == ("demo", "correlation-1")
    (event,) = fakes.emit.events
    assert (event.request_id, event.origin, event.content_hmac) == (answer.request_id, "orchestrate", "0" * 64)
    assert event.findings == answer.findings
    assert event.decision is not None
    assert (event.decision.action, event.decision.reasons) == ("redact", ("said",))
    assert [(run.detector, run.status) for run in event.detectors] == [("words", "ok")]


async def test_the_event_tells_of_each_vendor_label_once_how_it_was_mapped() -> None:
    fakes = Fakes(detect=SayingDetect(says={"words": report("words", "EMAIL", "EMAIL", "NEW")}))
    await fakes.judge()
    (event,) = fakes.emit.events
    assert [mapping.provenance.vendor_label for mapping in event.mappings] == ["EMAIL", "NEW"]
    assert [mapping.labels[0].label for mapping in event.mappings] == ["PII.Contact.Email", "OTHER.Unknown"]


async def test_the_policy_decides_on_the_findings_and_the_coverage() -> None:
    fakes = Fakes(
        detect=SayingDetect(says={"words": report("words", "EMAIL")}),
        policy=SayingPolicy(selection("words", required=("words", "numbers"))),
    )
    await fakes.judge()
    ((findings, coverage),) = fakes.policy.decided
    assert [found.label for found in findings] == ["PII.Contact.Email"]
    assert (coverage.score, coverage.missing) == (0.5, ("numbers",))
    assert fakes.analyze.asked == [(findings, 0.5)]


async def test_the_answer_and_the_event_hold_no_content() -> None:
    fakes = Fakes(detect=SayingDetect(says={"words": report("words", "EMAIL")}))
    answer = await fakes.judge(content="canary-7341 and more")
    assert "canary" not in answer.model_dump_json() + fakes.emit.events[0].model_dump_json()
    assert fakes.policy.admitted == [("demo", 20)]


async def test_each_request_has_an_id_of_its_own() -> None:
    fakes = Fakes()
    assert (await fakes.judge()).request_id != (await fakes.judge()).request_id


@pytest.mark.parametrize("problem", [Unauthorized("no"), InsufficientRbac("no"), Unavailable("no policy")])
async def test_who_is_not_admitted_is_not_judged(problem: Problem) -> None:
    fakes = Fakes(policy=SayingPolicy(admission=problem))
    with pytest.raises(type(problem)):
        await fakes.judge()
    assert (fakes.detect.asked, fakes.emit.events) == ([], [])


async def test_async_work_is_refused_by_field() -> None:
    fakes = Fakes()
    with pytest.raises(InvalidRequest) as refused:
        await fakes.judge(processing_mode="async")
    assert [error.field for error in refused.value.errors] == ["processing_mode"]
    assert fakes.detect.asked == []


@pytest.mark.parametrize("field", ["detector_types", "required_detectors", "excluded_detectors"])
async def test_an_unknown_detector_is_refused_by_its_place_and_not_by_its_name(field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await Fakes().judge(**{field: ["words", "canary", "numbers"]})
    assert [error.field for error in refused.value.errors] == [f"{field}.1"]
    assert "canary" not in refused.value.document("correlation-1").model_dump_json()


@pytest.mark.parametrize(
    ("request_fields", "ran", "asked"),
    [
        ({"detector_types": ["words"]}, ("words",), ["words"]),
        ({"detector_types": ["pii"]}, ("words", "numbers"), ["pii", "pii"]),
        ({"detector_types": ["keys", "pii", "words"]}, ("keys", "words", "numbers"), ["keys", "pii", "pii"]),
        ({"detector_types": ["pii"], "excluded_detectors": ["words"]}, ("numbers",), ["pii"]),
        ({"detector_types": ["keys"], "required_detectors": ["words"]}, ("keys", "words"), ["keys", "words"]),
        ({"detector_types": ["deberta"]}, ("words",), ["deberta"]),
        ({"required_detectors": ["secrets"]}, ("words", "keys"), ["words", "secrets"]),
        ({"detector_types": []}, ("words",), ["words"]),
    ],
)
async def test_detectors_are_chosen_by_name_by_family_or_by_policy(
    request_fields: dict[str, Any], ran: tuple[str, ...], asked: list[str]
) -> None:
    fakes = Fakes()
    answer = await fakes.judge(**request_fields)
    assert fakes.detect.asked[0][1] == ran
    assert [outcome.asked for outcome in answer.detectors] == asked
    assert answer.coverage.score == 1.0


async def test_a_stand_in_is_said() -> None:
    answer = await Fakes().judge(detector_types=["deberta", "numbers"])
    assert [(one.asked, one.detector, one.stands_in) for one in answer.detectors] == [
        ("deberta", "words", True),
        ("numbers", "numbers", False),
    ]


async def test_a_model_server_goes_before_its_stand_in() -> None:
    fakes = Fakes(model_servers=SayingModelServers({"deberta": report("deberta", "EMAIL", family="classifiers")}))
    answer = await fakes.judge(detector_types=["deberta"])
    assert [(one.detector, one.stands_in, one.findings) for one in answer.detectors] == [("deberta", False, 1)]
    assert fakes.detect.asked == []


async def test_the_policy_hears_detectors_and_not_families_or_stand_ins() -> None:
    fakes = Fakes()
    await fakes.judge(required_detectors=["deberta", "secrets"], excluded_detectors=["numbers"])
    (asked,) = fakes.policy.selected
    assert (asked.required_detectors, asked.excluded_detectors) == (("words", "keys"), ("numbers",))
    assert fakes.policy.available == ["keys", "numbers", "words"]


async def test_what_stands_in_for_a_required_detector_covers_it() -> None:
    answer = await Fakes().judge(required_detectors=["deberta"])
    assert (answer.coverage.score, answer.coverage.required) == (1.0, ("words",))


async def test_what_the_policy_requires_and_nobody_offers_is_missing() -> None:
    fakes = Fakes(policy=SayingPolicy(selection("words", "elsewhere", required=("words", "elsewhere"))))
    answer = await fakes.judge()
    assert (answer.coverage.score, answer.coverage.missing) == (0.5, ("elsewhere",))
    assert fakes.detect.asked[0][1] == ("words",)


async def test_the_policys_weights_and_pillars_count() -> None:
    wanted = selection("words", required=("words", "elsewhere"), method="WEIGHTED", weights={"words": 3.0})
    answer = await Fakes(policy=SayingPolicy(wanted)).judge()
    assert (answer.coverage.method, answer.coverage.score) == ("WEIGHTED", 0.75)


async def test_excluding_everything_is_refused_by_field() -> None:
    with pytest.raises(InvalidRequest) as refused:
        await Fakes().judge(detector_types=["words"], excluded_detectors=["pii"])
    assert [error.field for error in refused.value.errors] == ["excluded_detectors"]


async def test_a_policy_that_selects_nothing_fails_closed_and_does_not_blame_the_caller() -> None:
    with pytest.raises(AllDetectorsUnavailable):
        await Fakes(policy=SayingPolicy(selection())).judge()


async def test_each_vendor_word_is_mapped_once_and_stands_for_every_detection() -> None:
    said = tuple(
        Detection(label=label, score=0.9, span=Span(start=start, end=start + 3))
        for start, label in ((0, "EMAIL"), (10, "EMAIL"), (20, "KEY"))
    )
    fakes = Fakes(detect=SayingDetect(says={"words": report("words").model_copy(update={"detections": said})}))
    answer = await fakes.judge()
    ((first, second),) = fakes.mapper.asked
    assert (first.label, second.label) == ("EMAIL", "KEY")
    assert (first.score, first.span) == (None, None)
    spans = {found.label: [(span.start, span.end) for span in found.spans] for found in answer.findings}
    assert spans == {"PII.Contact.Email": [(0, 3), (10, 13)], "SECRET.Key": [(20, 23)]}


async def test_a_word_of_another_severity_is_another_word() -> None:
    said = (*detections("EMAIL", severity=0), *detections("EMAIL", severity=4), *detections("EMAIL", severity="4"))
    fakes = Fakes(detect=SayingDetect(says={"words": report("words").model_copy(update={"detections": said})}))
    await fakes.judge()
    assert [one.severity for one in fakes.mapper.asked[0]] == [0, 4, "4"]


async def test_the_mapper_is_not_asked_where_nothing_was_found() -> None:
    fakes = Fakes()
    answer = await fakes.judge()
    assert (fakes.mapper.asked, answer.findings, answer.versions.mapper) == ([], (), "1")


async def test_conflicting_findings_are_settled_by_content_type() -> None:
    span = {"start": 0, "end": 16}
    said = (*detections("EMAIL", span=span), *detections("KEY", span=span))
    detect = SayingDetect(says={"words": report("words").model_copy(update={"detections": said})})
    as_text, as_code = await Fakes(detect=detect).judge(), await Fakes(detect=detect).judge(content_type="code")
    assert sorted(found.label for found in as_text.findings) == ["PII.Contact.Email", "SECRET.Key"]
    assert [found.label for found in as_code.findings] == ["SECRET.Key"]


@pytest.mark.parametrize(("priority", "seconds"), [("critical", 1.0), ("high", 2.0), ("normal", 2.0), ("low", 5.0)])
def test_the_deadline_follows_the_priority(priority: str, seconds: float) -> None:
    request = OrchestrateRequest.model_validate({"content": "x", "priority": priority})
    assert Deadlines().of(request) == seconds


async def test_detectors_get_what_is_left_of_the_deadline_less_a_reserve() -> None:
    fakes = Fakes(deadlines=Deadlines(normal_seconds=10.0, detector_seconds=20.0))
    await fakes.judge()
    assert 9.0 < fakes.detect.asked[0][2] <= 9.75
    capped = replace(fakes, detect=SayingDetect(), deadlines=Deadlines(normal_seconds=10.0, detector_seconds=3.0))
    await capped.judge()
    assert capped.detect.asked[0][2] == pytest.approx(3.0, rel=0.01)


async def test_what_a_caller_says_of_the_content_reaches_the_choice_and_the_decision() -> None:
    fakes = Fakes()
    await fakes.judge(metadata={"route": "chat", "data_class": "restricted"}, content_type="code")
    assert fakes.policy.selected[0].metadata["route"] == "chat"
    (said,) = fakes.policy.decided_in
    assert said == Circumstances("code", "standard", "chat", "restricted")


async def test_a_priority_that_the_tenant_may_not_use_is_capped_and_said() -> None:
    fakes = Fakes(policy=SayingPolicy(priority="normal"))
    answer = await fakes.judge(priority="critical")
    assert answer.degraded == ("priority.capped",)
    assert (await Fakes().judge(priority="critical")).degraded == ()


async def test_what_the_policy_insists_on_runs_though_the_caller_excludes_it() -> None:
    fakes = Fakes(policy=SayingPolicy(selection("words", "numbers")))
    answer = await fakes.judge(excluded_detectors=["numbers"])
    assert [outcome.detector for outcome in answer.detectors] == ["words", "numbers"]
