import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.orchestrate.coverage import cover
from llama_mapper.contracts.identifiers import DetectorId
from llama_mapper.contracts.orchestration import CoverageMethod

A, B, C = DetectorId("a"), DetectorId("b"), DetectorId("c")
PILLARS = {"a": ["PII", "SECRET"], "b": ["PII"], "c": []}


@pytest.mark.parametrize(
    ("required", "answered", "method", "score", "missing"),
    [
        ((), set(), "REQUIRED_SET", 1.0, ()),
        ((), {A}, "WEIGHTED", 1.0, ()),
        ((), set(), "TAXONOMY", 1.0, ()),
        ((A, B, C), {A, B, C}, "REQUIRED_SET", 1.0, ()),
        ((A, B, C), {A, "other"}, "REQUIRED_SET", 0.3333, (B, C)),
        ((A,), set(), "REQUIRED_SET", 0.0, (A,)),
        ((A, B), {A}, "WEIGHTED", 0.75, (B,)),
        ((B, C), {C}, "WEIGHTED", 1.0, (B,)),
        ((B,), set(), "WEIGHTED", 1.0, (B,)),
        ((A, C), {C}, "WEIGHTED", 0.0, (A,)),
        ((A, B), {A}, "TAXONOMY", 1.0, (B,)),
        ((A, B), {B}, "TAXONOMY", 0.5, (A,)),
        ((A, B), {A, "other"}, "TAXONOMY", 1.0, (B,)),
        ((A, C), {A}, "TAXONOMY", 0.6667, (C,)),
        ((A, DetectorId("unheard-of")), {A}, "TAXONOMY", 0.6667, ("unheard-of",)),
    ],
)
def test_coverage(
    required: tuple[DetectorId, ...],
    answered: set[str],
    method: CoverageMethod,
    score: float,
    missing: tuple[str, ...],
) -> None:
    weights = {"a": 3.0, "b": 0.0, "c": -2.0} if C in required or required == (B,) else {"a": 3.0}
    coverage = cover(required, answered, method, weights, PILLARS)
    assert (coverage.method, coverage.score, coverage.missing) == (method, score, missing)
    assert coverage.required == required


def test_without_weights_each_counts_one_and_without_pillars_each_is_its_own() -> None:
    for method in ("REQUIRED_SET", "WEIGHTED", "TAXONOMY"):
        assert cover((A, B), {A}, method).score == 0.5


NAMES = st.lists(st.sampled_from([A, B, C]), unique=True)
METHODS = st.sampled_from(["REQUIRED_SET", "WEIGHTED", "TAXONOMY"])


@given(
    NAMES, st.sets(st.sampled_from(["a", "b", "c"])), METHODS, st.dictionaries(st.sampled_from("abc"), st.floats(0, 9))
)
def test_another_answer_never_lowers_the_coverage(
    required: list[DetectorId], answered: set[str], method: CoverageMethod, weights: dict[str, float]
) -> None:
    before = cover(required, answered, method, weights, PILLARS).score
    assert all(cover(required, {*answered, more}, method, weights, PILLARS).score >= before for more in "abc")
    assert cover(required, {"a", "b", "c"}, method, weights, PILLARS).score == 1.0
