from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.analyze.patterns.counted import MAX_PAIRED, MAX_SERIES, Evidence
from functions.analyze.patterns.lags import MAX_SERIES as MAX_LAGGED
from functions.analyze.patterns.search import MAX_TOLD, search
from functions.analyze.patterns.words import finding
from llama_mapper.contracts.patterns import PatternKind, PatternsRequest, PatternsResponse
from llama_mapper.contracts.series import EVIDENCE_QUERIES
from tests.fakes.seasonal_counts import World, latent


def planted() -> World:
    """Twenty labels with one pattern of each kind."""
    world = World(3, series=20)
    world.plant(2, 80, 86, 6)
    world.plant(4, 72, 168, 2.5)
    world.plant(5, 0, 168, 2)
    for row in range(8, 16):
        world.plant(row, 60, 66, 4)
    world.lifted = {(0, 1): 2.0}
    common = latent(1, world.hours, 0.6)
    world.shared = {6: common, 7: np.roll(common, 2)}
    return world


@pytest.fixture(scope="module")
def world() -> World:
    return planted()


@pytest.fixture(scope="module")
def evidence(world: World) -> Evidence:
    return world.evidence()


def found(world: World, evidence: Evidence, **changes: Any) -> PatternsResponse:
    return search(PatternsRequest(period=world.span, **changes), evidence)


@pytest.fixture(scope="module")
def answer(world: World, evidence: Evidence) -> PatternsResponse:
    return found(world, evidence)


@pytest.mark.parametrize(
    ("effect", "rows"),
    [
        ("burst-rate-ratio", [2]),
        ("change-rate-ratio", [4]),
        ("rate-ratio", [5]),
        ("lift", [0, 1]),
        ("lag-correlation", [6, 7]),
    ],
)
def test_every_kind_is_found(world: World, answer: PatternsResponse, effect: str, rows: list[int]) -> None:
    labels = tuple(world.label(row) for row in rows)
    assert labels in [one.labels for one in answer.patterns if one.effect == effect]


def test_the_quarter_that_is_unlike_is_found(answer: PatternsResponse) -> None:
    assert "deviance-ratio" in {one.effect for one in answer.patterns}


def test_every_finding_says_how_sure_it_is_and_where_its_rows_are(answer: PatternsResponse) -> None:
    for one in answer.patterns:
        assert one.q_value is not None
        assert one.q_value <= 0.05
        assert one.interval.low <= one.effect_size
        assert one.interval.high is None or one.effect_size <= one.interval.high
        assert one.evidence_query in EVIDENCE_QUERIES
        assert one.explanation.endswith(".")
    assert 20 <= answer.series_tested <= 40


def test_the_same_counts_give_the_same_answer(world: World, evidence: Evidence, answer: PatternsResponse) -> None:
    assert found(world, evidence) == answer


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(20)))
def test_the_order_of_series_changes_nothing(
    world: World, evidence: Evidence, answer: PatternsResponse, order: list[int]
) -> None:
    def shuffled(told: Any) -> Any:
        return told.model_copy(update={"series": tuple(told.series[i] for i in order)})

    pairs = tuple((shuffled(series), met) for series, met in evidence.pairs)
    again = found(world, Evidence(evidence.begins, shuffled(evidence.sources), pairs))
    assert again == answer


@pytest.mark.parametrize("kind", ["temporal", "frequency", "correlation", "anomaly"])
def test_only_the_kinds_asked_for_are_told(world: World, evidence: Evidence, kind: PatternKind) -> None:
    assert {one.kind for one in found(world, evidence, kinds=(kind,)).patterns} == {kind}


@pytest.mark.parametrize("count", [1, 3, 40])
def test_constant_counts_hold_no_pattern(world: World, evidence: Evidence, count: int) -> None:
    sources = evidence.sources
    every = tuple(range(sources.buckets))
    flat = tuple(one.model_copy(update={"at": every, "counts": (count,) * len(every)}) for one in sources.series)
    level = sources.model_copy(update={"series": flat, "requests": (400,) * len(every)})
    told = found(world, Evidence(evidence.begins, level))
    assert told.patterns == ()
    assert told.series_tested == 20


def test_too_little_is_not_tested(world: World, evidence: Evidence) -> None:
    sources = evidence.sources
    late = world.split - 100
    requests = (0,) * late + sources.requests[late:]
    told = found(world, Evidence(evidence.begins, sources.model_copy(update={"requests": requests}), evidence.pairs))
    assert (told.series_tested, told.patterns) == (0, ())


def test_nothing_kept_is_an_answer(world: World, evidence: Evidence) -> None:
    nothing = evidence.sources.model_copy(update={"series": (), "requests": (0,) * evidence.sources.buckets})
    told = found(world, Evidence(evidence.begins, nothing))
    assert (told.series_tested, told.series_left_out, told.patterns) == (0, 0, ())


def test_nothing_is_made_up_where_nothing_is_planted() -> None:
    clean = World(12, series=60)
    kinds: tuple[PatternKind, ...] = ("frequency", "correlation", "anomaly")
    assert search(PatternsRequest(period=clean.span, kinds=kinds), clean.evidence()).patterns == ()


def test_the_work_is_bounded() -> None:
    """Every loop over series, pairs and findings has an end that no tenant moves."""
    assert (MAX_SERIES, MAX_PAIRED, MAX_LAGGED, MAX_TOLD) == (200, 60, 40, 200)


def test_words_hold_the_numbers_of_the_finding(answer: PatternsResponse) -> None:
    for one in answer.patterns:
        told = f"{one.effect_size:.0%}" if "seasonal" in one.effect else f"{one.effect_size:.2f}"
        assert told in one.explanation


def test_an_interval_without_an_end_is_said_to_have_none() -> None:
    from functions.analyze.patterns.found import Found
    from functions.analyze.patterns.table import Name

    made = Found("frequency", "rate-ratio", (Name(),), World(0).span, 9.0, 3.0, None, 1e-4, 1e-3, 9.0, 1.0)
    assert finding(made).interval.high is None
    assert "at least 3.00, no upper bound" in finding(made).explanation
