"""Which detectors are asked, and in whose place: out of rotation, alternatives, candidates, shadows."""

import asyncio
from typing import Any

import pytest

from functions.orchestrate.detectors.asking import Asking
from functions.orchestrate.detectors.condition import DETECT, Condition
from functions.orchestrate.detectors.versions import Rollout, Versions
from llama_mapper.chassis import metrics
from llama_mapper.contracts.detection import DetectorReport
from llama_mapper.contracts.identifiers import DetectorId
from llama_mapper.contracts.problems import (
    AllDetectorsUnavailable,
    DetectorOverloaded,
    Problem,
    RequestTimeout,
    Unavailable,
)
from tests.fakes.orchestration import Fakes, SayingDetect, SayingModelServers, report


class Out:
    """Those who are out of rotation."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def start(self) -> None:
        """Nothing to begin."""

    def in_rotation(self, name: str) -> bool:
        return name not in self._names

    def condition(self, name: str) -> Condition:
        return Condition(out=name in self._names)

    async def aclose(self) -> None:
        """Nothing to end."""


def served(**says: DetectorReport | Problem) -> SayingModelServers:
    return SayingModelServers({name.replace("_", "-"): answer for name, answer in says.items()})


def good(name: str, *labels: str, version: str = "1.0") -> DetectorReport:
    return report(name, *labels, family="classifiers").model_copy(update={"version": version})


def shown(answer: Any) -> list[tuple[str, str, str, bool]]:
    return [(str(one.asked), str(one.detector), one.status, one.stands_in) for one in answer.detectors]


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (Unavailable("resting"), "unavailable"),
        (RequestTimeout("late"), "timeout"),
        (DetectorOverloaded("full"), "overloaded"),
    ],
)
async def test_an_alternative_answers_for_one_that_fails_and_both_are_said(problem: Problem, status: str) -> None:
    servers = served(model=problem, other=good("other", "EMAIL"))
    answer = await Fakes(model_servers=servers, alternatives={"model": ("other",)}).judge(detector_types=["model"])
    assert shown(answer) == [("model", "model", status, False), ("model", "other", "ok", True)]
    assert answer.degraded == (f"detector.model.{status}",)
    assert (answer.coverage.score, answer.coverage.missing) == (1.0, ())
    assert [found.label for found in answer.findings] == ["PII.Contact.Email"]


async def test_an_alternative_is_left_alone_while_the_first_answers() -> None:
    servers = served(model=good("model"), other=good("other"))
    answer = await Fakes(model_servers=servers, alternatives={"model": ("other",)}).judge(detector_types=["model"])
    assert ([name for name, _ in servers.asked], answer.degraded) == (["model"], ())


async def test_the_next_alternative_is_asked_where_the_first_fails_too() -> None:
    servers = served(model=Unavailable("down"), other=Unavailable("down"))
    fakes = Fakes(model_servers=servers, alternatives={"model": ("other", "nobody", "words")})
    answer = await fakes.judge(detector_types=["model"])
    assert [one.detector for one in answer.detectors] == ["model", "other", "words"]
    assert answer.coverage.score == 1.0


async def test_the_stand_in_of_a_model_server_answers_where_that_fails() -> None:
    answer = await Fakes(model_servers=served(deberta=Unavailable("down"))).judge(detector_types=["deberta"])
    assert shown(answer) == [("deberta", "deberta", "unavailable", False), ("deberta", "words", "ok", True)]


async def test_an_alternative_that_runs_anyway_is_asked_once_and_its_findings_count_once() -> None:
    fakes = Fakes(
        model_servers=served(model=Unavailable("down")),
        detect=SayingDetect(says={"words": report("words", "EMAIL")}),
        alternatives={"model": ("words",)},
    )
    answer = await fakes.judge(detector_types=["model", "words"])
    assert [asked[1] for asked in fakes.detect.asked] == [("words",)]
    assert len(answer.findings) == 1
    assert shown(answer)[1:] == [("model", "words", "ok", True), ("words", "words", "ok", False)]


async def test_an_alternative_that_the_caller_excludes_is_not_asked() -> None:
    servers = served(model=Unavailable("down"), other=good("other"), third=good("third"))
    fakes = Fakes(model_servers=servers, alternatives={"model": ("other",)})
    answer = await fakes.judge(detector_types=["model", "third"], excluded_detectors=["other"])
    assert answer.coverage.missing == ("model",)
    assert {name for name, _ in servers.asked} == {"model", "third"}


async def test_the_first_leaves_time_for_its_alternative() -> None:
    servers = served(model=RequestTimeout("late"), other=good("other"), alone=good("alone"))
    await Fakes(model_servers=servers, alternatives={"model": ("other",)}).judge(detector_types=["model", "alone"])
    seconds = dict(servers.asked)
    assert seconds["model"] == pytest.approx(0.6 * 20.0, rel=0.01)
    assert seconds["alone"] == pytest.approx(20.0, rel=0.01)


async def test_one_out_of_rotation_is_not_asked() -> None:
    servers = served(model=good("model"), other=good("other"))
    fakes = Fakes(model_servers=servers, alternatives={"model": ("other",)}, asking=Asking(Out("model")))
    answer = await fakes.judge(detector_types=["model"])
    assert [name for name, _ in servers.asked] == ["other"]
    assert answer.degraded == ("detector.model.unavailable",)


async def test_where_detect_is_out_of_rotation_alternatives_answer_for_its_detectors() -> None:
    servers = served(other=good("other"))
    fakes = Fakes(model_servers=servers, alternatives={"words": ("other",)}, asking=Asking(Out(DETECT)))
    answer = await fakes.judge(detector_types=["words", "numbers"])
    assert fakes.detect.asked == []
    assert (answer.coverage.score, answer.coverage.missing) == (0.5, ("numbers",))


async def test_where_nobody_is_left_nobody_answers() -> None:
    with pytest.raises(AllDetectorsUnavailable):
        await Fakes(model_servers=served(model=good("model")), asking=Asking(Out("model"))).judge(
            detector_types=["model"]
        )


def rollout(share: float = 1.0, *, shadow: bool = False, out: tuple[str, ...] = ()) -> Asking:
    said = {"candidates": [{"detector": "next", "share": share}], "shadow": shadow}
    return Asking(Out(*out), Versions({DetectorId("model"): Rollout.model_validate(said)}, b"key"))


def counted(outcome: str) -> float:
    labels = {"detector": "model", "candidate": "next", "outcome": outcome}
    return metrics.REGISTRY.get_sample_value("llama_mapper_detector_versions_total", labels) or 0.0


async def test_a_candidate_answers_under_the_detectors_name_with_its_own_version() -> None:
    servers = served(model=good("model"), next=good("next", "EMAIL", version="2.0"))
    fakes = Fakes(model_servers=servers, asking=rollout())
    answer = await fakes.judge(detector_types=["model"])
    assert [name for name, _ in servers.asked] == ["next"]
    assert [(one.detector, one.version) for one in answer.detectors] == [("model", "2.0")]
    (mapped,) = fakes.mapper.asked
    assert [(one.detector, one.detector_version) for one in mapped] == [("model", "2.0")]
    assert (answer.coverage.score, answer.degraded) == (1.0, ())


@pytest.mark.parametrize("out", [(), ("next",)])
async def test_a_candidate_that_fails_or_is_out_costs_nothing_but_time(out: tuple[str, ...]) -> None:
    before = counted("failed")
    servers = served(model=good("model"), next=Unavailable("down"))
    answer = await Fakes(model_servers=servers, asking=rollout(out=out)).judge(detector_types=["model"])
    assert [one.version for one in answer.detectors] == ["1.0"]
    assert counted("failed") == before + 1


@pytest.mark.parametrize(
    ("other", "outcome"),
    [
        (good("next", "EMAIL"), "agree"),
        (good("next", "EMAIL", "KEY"), "differ"),
        (good("next"), "differ"),
        (Unavailable("down"), "failed"),
    ],
    ids=["agree", "more", "less", "failed"],
)
async def test_a_shadow_is_compared_and_does_not_count(other: DetectorReport | Problem, outcome: str) -> None:
    before = counted(outcome)
    servers, asking = served(model=good("model", "EMAIL"), next=other), rollout(shadow=True)
    answer = await Fakes(model_servers=servers, asking=asking).judge(detector_types=["model"])
    await asyncio.gather(*asking._shadows)
    assert [name for name, _ in servers.asked] == ["model", "next"]
    assert ([found.label for found in answer.findings], answer.degraded) == (["PII.Contact.Email"], ())
    assert counted(outcome) == before + 1


async def test_shadows_end_with_the_process() -> None:
    servers, asking = served(model=good("model"), next=good("next")), rollout(shadow=True)
    await Fakes(model_servers=servers, asking=asking).judge(detector_types=["model"])
    await asking.aclose()
    assert not asking._shadows
