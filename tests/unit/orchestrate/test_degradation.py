"""What an answer does without, and that it says so."""

from typing import Any

import pytest

from llama_mapper.contracts.problems import (
    AllDetectorsUnavailable,
    DetectorCommunicationFailed,
    Problem,
    RequestTimeout,
    Unavailable,
    Unprocessable,
)
from tests.fakes.orchestration import (
    Fakes,
    ListedEvents,
    SayingAnalyze,
    SayingDetect,
    SayingMapper,
    SayingModelServers,
    SayingPolicy,
    report,
)


@pytest.mark.parametrize(
    ("lost", "status"),
    [
        (report("numbers", status="timeout"), "timeout"),
        (report("numbers", status="failed"), "failed"),
        (report("numbers", status="unavailable"), "unavailable"),
    ],
)
async def test_a_detector_that_does_not_answer_is_missing_and_said(lost: Any, status: str) -> None:
    says = {"words": report("words", "EMAIL"), "numbers": lost}
    answer = await Fakes(detect=SayingDetect(says=says)).judge(detector_types=["pii"])
    assert (answer.coverage.score, answer.coverage.missing) == (0.5, ("numbers",))
    assert answer.degraded == (f"detector.numbers.{status}",)
    assert [found.label for found in answer.findings] == ["PII.Contact.Email"]


async def test_a_detector_that_detect_forgets_to_report_is_said_to_have_failed() -> None:
    answer = await Fakes(detect=SayingDetect(forgets=frozenset({"numbers"}))).judge(detector_types=["pii"])
    assert answer.degraded == ("detector.numbers.failed",)
    assert [(one.detector, one.status) for one in answer.detectors] == [("words", "ok"), ("numbers", "failed")]


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (RequestTimeout("late"), "timeout"),
        (Unavailable("down"), "unavailable"),
        (Unprocessable("unknown detector"), "unavailable"),
        (DetectorCommunicationFailed("odd"), "failed"),
    ],
)
async def test_where_detect_fails_the_model_servers_still_answer(problem: Problem, status: str) -> None:
    fakes = Fakes(
        detect=SayingDetect(answer=problem),
        model_servers=SayingModelServers({"served": report("served", "EMAIL", family="classifiers")}),
    )
    answer = await fakes.judge(detector_types=["served", "keys", "words"])
    assert answer.degraded == (f"detector.keys.{status}", f"detector.words.{status}")
    assert answer.coverage.score == pytest.approx(1 / 3, abs=1e-4)
    families = {str(one.detector): (one.family, one.version) for one in answer.detectors}
    assert (families["keys"], families["words"]) == (("secrets", "1.0"), ("pii", "1.0"))


@pytest.mark.parametrize(
    ("problem", "status"), [(RequestTimeout("late"), "timeout"), (Unavailable("down"), "unavailable")]
)
async def test_where_a_model_server_fails_detect_still_answers(problem: Problem, status: str) -> None:
    answer = await Fakes(model_servers=SayingModelServers({"served": problem})).judge(
        detector_types=["served", "words"]
    )
    assert (answer.degraded, answer.coverage.missing) == ((f"detector.served.{status}",), ("served",))


@pytest.mark.parametrize("problem", [RequestTimeout("late"), Unavailable("down")])
async def test_where_nobody_answers_there_is_no_answer_and_no_event(problem: Problem) -> None:
    fakes = Fakes(
        detect=SayingDetect(answer=problem), model_servers=SayingModelServers({"served": Unavailable("down")})
    )
    with pytest.raises(AllDetectorsUnavailable):
        await fakes.judge(detector_types=["served", "words"])
    assert fakes.emit.events == []


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (RequestTimeout("late"), "mapper.timeout"),
        (Unavailable("down"), "mapper.unavailable"),
        (Unprocessable("too large"), "mapper.unavailable"),
    ],
)
async def test_where_the_mapper_fails_findings_are_unknown_and_the_policy_sees_them(
    problem: Problem, said: str
) -> None:
    fakes = Fakes(
        detect=SayingDetect(says={"words": report("words", "EMAIL", "KEY")}), mapper=SayingMapper(answer=problem)
    )
    answer = await fakes.judge()
    assert [(one.label, one.confidence) for one in answer.findings] == [("OTHER.Unknown", 0.0)]
    assert {source.method for source in answer.findings[0].sources} == {"fallback"}
    assert [source.vendor_label for source in answer.findings[0].sources] == ["EMAIL", "KEY"]
    assert answer.degraded == (said,)
    assert fakes.policy.decided[0][0] == answer.findings


@pytest.mark.parametrize(
    ("problem", "said"), [(RequestTimeout("late"), "analyze.timeout"), (Unavailable("down"), "analyze.unavailable")]
)
async def test_where_analyze_fails_the_answer_has_no_analysis_and_says_so(problem: Problem, said: str) -> None:
    answer = await Fakes(analyze=SayingAnalyze(problem)).judge()
    assert (answer.analysis, answer.versions.frameworks, answer.degraded) == (None, None, (said,))


@pytest.mark.parametrize(
    "policy",
    [SayingPolicy(selection=Unavailable("no policy")), SayingPolicy(action=Unavailable("no policy"))],
    ids=["selection", "decision"],
)
async def test_where_the_policy_fails_nothing_is_let_through(policy: SayingPolicy) -> None:
    fakes = Fakes(policy=policy)
    with pytest.raises(Unavailable):
        await fakes.judge()
    assert fakes.emit.events == []


async def test_an_event_that_is_kept_for_later_is_said() -> None:
    answer = await Fakes(emit=ListedEvents("event.deferred")).judge()
    assert answer.degraded == ("event.deferred",)


async def test_where_the_event_cannot_even_be_kept_there_is_no_answer() -> None:
    with pytest.raises(Unavailable):
        await Fakes(emit=ListedEvents(Unavailable("no outbox"))).judge()
