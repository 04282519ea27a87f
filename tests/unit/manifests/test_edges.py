"""The picture's edges, computed from the production overlay, against the policies it renders: exactly these."""

import pytest

from tests.manifests import build, edges, mesh
from tests.manifests.picture import Picture
from tests.manifests.planted_edges import PLANTED, PRODUCTION, PlantedEdge, caught

BUNDLE = build.build(PRODUCTION)
EDGES = {(edge.caller.name, edge.callee.name) for edge in Picture(BUNDLE).edges}


def test_the_policies_of_production_allow_the_picture_and_nothing_else() -> None:
    assert [*edges.faults(BUNDLE), *mesh.faults(BUNDLE)] == []


@pytest.mark.parametrize(
    "edge",
    [
        ("the gateway", "orchestrate"),
        ("orchestrate", "detect"),
        ("orchestrate", "mapper-transformer"),
        ("orchestrate", "analyze"),
        ("orchestrate", "redis"),
        ("orchestrate", "knative-eventing"),
        ("mapper-transformer", "mapper-predictor"),
        ("mapper-predictor", "the Internet"),
        ("knative-eventing", "mapper-transformer"),
        ("knative-eventing", "analyze"),
        ("knative-eventing", "record"),
        ("record", "the Internet"),
        ("console", "record"),
        ("knative-serving", "detect"),
        ("llama-mapper", "detect"),
        ("detect", "llama-mapper"),
    ],
)
def test_an_edge_of_the_drawn_picture_is_found_in_the_manifests(edge: tuple[str, str]) -> None:
    assert edge in EDGES


@pytest.mark.parametrize("callee", ["record", "detect", "mapper-predictor", "redis"])
def test_no_client_reaches_past_the_front_door(callee: str) -> None:
    assert ("the gateway", callee) not in EDGES


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.what)
def test_an_edge_too_many_or_too_few_is_told_where_it_stands(planted: PlantedEdge) -> None:
    assert caught(planted, BUNDLE)
