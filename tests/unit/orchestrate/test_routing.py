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


def test_a_vendors_api_stands_beside_the_embedded_ones_by_id_and_by_family() -> None:
    directory = Directory((info("words", "pii"),), frozenset(), {"dlp": "words"}, (info("dlp", "pii"),))
    served = Route(DetectorId("dlp"), DetectorId("dlp"), model_server=True, family="pii", version="dlp-1")
    assert directory.available == ["dlp", "words"]
    assert directory.routes(["dlp"], "f") == (served,)
    assert directory.routes(["pii"], "f") == (
        route("pii", "words"),
        Route(DetectorId("pii"), DetectorId("dlp"), model_server=True, family="pii", version="dlp-1"),
    )


@pytest.mark.parametrize(
    ("names", "routes"),
    [
        ([], ()),
        (["words"], (route("words", "words"),)),
        (["words", "words"], (route("words", "words"),)),
        (["deberta"], (Route(DetectorId("deberta"), DetectorId("deberta"), model_server=True),)),
        (["keys"], (Route(DetectorId("keys"), DetectorId("keys"), model_server=True),)),
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
