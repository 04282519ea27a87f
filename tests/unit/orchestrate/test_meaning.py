import pytest

from functions.orchestrate.detectors.versions import UNSTATED
from functions.orchestrate.meaning import Meaning
from llama_mapper.contracts.detection import DetectorReport
from llama_mapper.contracts.identifiers import DetectorId
from llama_mapper.contracts.mapping import Versions
from tests.fakes.orchestration import DEMO, SayingMapper, report

MINE, ITS = DetectorId("mine"), DetectorId("presidio")
VERSIONS = Versions(taxonomy="2026.11", mapper="1")


def stating(version: str, *labels: str) -> DetectorReport:
    return report("mine", *labels).model_copy(update={"version": version})


async def asked_about(meaning: Meaning, mapper: SayingMapper, said: DetectorReport) -> list[tuple[str, str, str]]:
    await meaning.of([said], 1.0, DEMO, VERSIONS, [])
    return [(one.detector, one.detector_version, one.label) for one in mapper.asked[-1]]


@pytest.mark.parametrize(
    ("editions", "stated", "edition"),
    [({}, "2.2", "2.2"), ({}, UNSTATED, "unknown"), ({MINE: "3"}, "2.2", "3"), ({MINE: "unknown"}, "2.2", "unknown")],
)
async def test_a_word_is_asked_about_in_its_vocabulary_and_edition(
    editions: dict[DetectorId, str], stated: str, edition: str
) -> None:
    mapper = SayingMapper()
    meaning = Meaning(mapper, {MINE: ITS}, editions)
    assert await asked_about(meaning, mapper, stating(stated, "EMAIL")) == [("presidio", edition, "EMAIL")]


async def test_each_word_is_asked_about_once_and_without_what_tells_of_the_content() -> None:
    mapper = SayingMapper()
    pairs, mappings = await Meaning(mapper).of([stating("1", "EMAIL", "NAME", "EMAIL")], 1.0, DEMO, VERSIONS, [])
    assert [one.label for one in mapper.asked[-1]] == ["EMAIL", "NAME"]
    assert {(one.span, one.score) for one in mapper.asked[-1]} == {(None, None)}
    assert (len(pairs), len(mappings)) == (3, 2)
