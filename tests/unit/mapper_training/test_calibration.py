import pytest

from llama_mapper.contracts.confidence import FEATURES, READING, Best, Scored, best_of, choose, features, sigmoid
from mapper_training.calibration import fit


def scored(letters: tuple[float, ...], odds: tuple[float, ...]) -> Scored:
    labels = tuple("ABCDEF"[: len(letters)])
    none = max(0.0, 1 - sum(letters))
    near = tuple(sigmoid(o) for o in odds)
    return Scored(labels=labels, letters=letters, none=none, relations={}, scores=near, odds=odds)


CLEAR = [scored((0.9, 0.05), (2.0, -1.0)), scored((0.05, 0.9), (0.0, 0.4)), scored((0.8, 0.1), (1.0, -1.5))]
VAGUE = [scored((0.4, 0.3), (-1.0, -1.1)), scored((0.3, 0.2), (-1.2, -1.4))]
GOLDS = [frozenset({"A"}), frozenset({"B"}), frozenset({"A"}), frozenset[str](), frozenset[str]()]
EVERY = (True,) * len(FEATURES)


def test_there_is_a_number_for_every_feature() -> None:
    assert len(features(CLEAR[0], 0)) == len(FEATURES)


def test_the_lead_is_over_the_best_other() -> None:
    assert features(scored((0.5, 0.2, 0.1), (0.6, 0.2, 0.5)), 0)[FEATURES.index("lead")] == pytest.approx(0.1)


def test_the_best_is_read_by_its_odds_its_lead_and_its_nearness() -> None:
    best = best_of((0.0, 0.0, 1.0, 0.0, 0.0), scored((0.5, 0.5), (1.0, 3.0)))
    assert best == Best("B", 3.0, 2.0, sigmoid(3.0))
    assert len(best.signs()) == len(READING)


def test_a_sure_model_gives_finite_numbers() -> None:
    assert all(abs(value) < 20 for value in features(scored((1.0, 0.0), (5.0, -5.0)), 1))


def test_clear_answers_are_trusted_more_than_vague_ones() -> None:
    stack = fit(CLEAR * 10 + VAGUE * 10, (GOLDS[:3] * 10) + (GOLDS[3:] * 10), EVERY)
    clear, vague = choose(stack, CLEAR[0]), choose(stack, VAGUE[0])
    assert clear[0] == "A"
    assert clear[1] > 0.8 > 0.3 > vague[1]


def test_the_model_can_overrule_retrieval() -> None:
    stack = fit(CLEAR * 10 + VAGUE * 10, (GOLDS[:3] * 10) + (GOLDS[3:] * 10), EVERY)
    assert choose(stack, scored((0.02, 0.95), (0.1, 0.0)))[0] == "B"


def test_a_feature_that_is_not_kept_has_no_weight() -> None:
    kept = tuple(name != "model_in_doubt" for name in FEATURES)
    assert fit(CLEAR + VAGUE, GOLDS, kept).weights[FEATURES.index("model_in_doubt")] == 0.0


def test_no_candidates_give_no_label() -> None:
    assert choose(fit(CLEAR + VAGUE, GOLDS, EVERY), scored((), ())) == (None, 0.0)


def test_the_model_counts_for_nothing_where_the_ranker_is_sure() -> None:
    sure, unsure = scored((0.1, 0.8), (12.0, -3.0)), scored((0.1, 0.8), (-1.0, -1.5))
    at = FEATURES.index("model_in_doubt")
    assert features(sure, 1)[at] == pytest.approx(0.0, abs=1e-4)
    assert features(unsure, 1)[at] > 0.5
