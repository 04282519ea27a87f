from dataclasses import replace

import pytest

from functions.orchestrate.routing import Directory, Route
from llama_mapper.contracts.detection import DetectorInfo
from llama_mapper.contracts.identifiers import DetectorId
from llama_mapper.contracts.problems import InvalidRequest


def info(name: str, family: str) -> DetectorInfo:
    return DetectorInfo.model_validate({"id": name, "version": f"{name}-1", "family": family, "loaded": True})


DIRECTORY = Directory(
    embedded=(info("words", "pii"), info("keys", "secrets"), info("numbers", "pii"), info("language", "injection")),
    model_servers=frozenset({"deberta", "keys"}),
    stand_ins={"deberta": "words", "roberta": "numbers", "lost": "nobody", "pii": "keys"},
)


def route(asked: str, detector: str, family: str = "pii", **rest: bool) -> Route:
    return Route(DetectorId(asked), DetectorId(detector), family=family, version=f"{detector}-1", **rest)  # type: ignore[arg-type] # a family


def served(name: str, *alternatives: Route, family: str = "classifiers", asked: str | None = None) -> Route:
    version = "unknown" if family == "classifiers" else f"{name}-1"
    said = {"model_server": True, "family": family, "version": version, "alternatives": alternatives}
    return Route(DetectorId(asked or name), DetectorId(name), **said)  # type: ignore[arg-type] # as above


def test_a_vendors_api_stands_beside_the_embedded_ones_by_id_and_by_family() -> None:
    directory = Directory((info("words", "pii"),), frozenset(), {}, (info("dlp", "pii"),))
    assert directory.available == ["dlp", "words"]
    assert directory.routes(["dlp"], "f") == (served("dlp", family="pii"),)
    assert directory.routes(["pii"], "f") == (
        route("pii", "words"),
        served("dlp", family="pii", asked="pii"),
    )


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ((), ["words"]),
        (("numbers",), ["numbers", "words"]),
        (("words", "numbers"), ["words", "numbers"]),
        (("nobody", "deberta", "keys"), ["keys", "words"]),
    ],
)
def test_alternatives_are_those_that_exist_and_then_the_stand_in(named: tuple[str, ...], found: list[str]) -> None:
    directory = replace(DIRECTORY, alternatives={"deberta": named})
    (route_,) = directory.routes(["deberta"], "x")
    assert [one.detector for one in route_.alternatives] == found
    assert {(one.asked, one.stands_in) for one in route_.alternatives} == {("deberta", True)}
    assert [one.detector for one in route_.without({"words"}).alternatives] == [n for n in found if n != "words"]


@pytest.mark.parametrize(
    ("names", "routes"),
    [
        ([], ()),
        (["words"], (route("words", "words"),)),
        (["words", "words"], (route("words", "words"),)),
        (["deberta"], (served("deberta", route("deberta", "words", stands_in=True)),)),
        (["keys"], (served("keys"),)),
        (["roberta"], (route("roberta", "numbers", stands_in=True),)),
        (["roberta", "numbers"], (route("roberta", "numbers", stands_in=True),)),
        (["numbers", "roberta"], (route("numbers", "numbers"),)),
        (["language"], (route("language", "language", "injection"),)),
        (["injection"], (route("injection", "language", "injection"),)),
    ],
)
def test_a_name_is_a_model_server_a_detector_a_stand_in_or_a_family(
    names: list[str], routes: tuple[Route, ...]
) -> None:
    assert DIRECTORY.routes(names, "detector_types") == routes


def test_a_stand_in_goes_before_a_family_of_that_name() -> None:
    assert [one.detector for one in DIRECTORY.routes(["pii"], "x")] == ["keys"]


def test_a_family_is_all_its_detectors() -> None:
    plain = Directory(DIRECTORY.embedded, frozenset(), {})
    assert [one.detector for one in plain.routes(["pii"], "x")] == ["words", "numbers"]


@pytest.mark.parametrize("name", ["canary", "word", "wordsx", "lost", "classifiers"])
def test_an_unknown_name_is_refused_by_place(name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        DIRECTORY.routes(["words", name], "detector_types")
    assert [error.field for error in refused.value.errors] == ["detector_types.1"]
    assert name not in refused.value.detail + refused.value.errors[0].field


def test_what_is_available_is_embedded_or_served_and_no_stand_in() -> None:
    assert DIRECTORY.available == ["deberta", "keys", "language", "numbers", "words"]
