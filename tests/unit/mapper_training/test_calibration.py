import pytest

from llama_mapper.contracts.confidence import FEATURES, Scored, choose, features
from mapper_training.calibration import fit


def scored(letters: tuple[float, ...], scores: tuple[float, ...], votes: tuple[float, ...] = ()) -> Scored:
    labels = tuple("ABCDEF"[: len(letters)])
    none = max(0.0, 1 - sum(letters))
    return Scored(
        labels=labels, letters=letters, none=none, relations={}, scores=scores, votes=votes or (0.0,) * len(letters)
    )


CLEAR = [scored((0.9, 0.05), (0.9, 0.3)), scored((0.05, 0.9), (0.5, 0.6)), scored((0.8, 0.1), (0.7, 0.2))]
VAGUE = [scored((0.4, 0.3), (0.3, 0.29)), scored((0.3, 0.2), (0.25, 0.2))]
GOLDS = [frozenset({"A"}), frozenset({"B"}), frozenset({"A"}), frozenset[str](), frozenset[str]()]
EVERY = (True,) * len(FEATURES)


def test_there_is_a_number_for_every_feature() -> None:
    assert len(features(CLEAR[0], 0)) == len(FEATURES)


def test_the_lead_is_over_the_best_other() -> None:
    assert features(scored((0.5, 0.2, 0.1), (0.6, 0.2, 0.5)), 0)[FEATURES.index("lead")] == pytest.approx(0.1)


def test_a_sure_model_gives_finite_numbers() -> None:
    assert all(abs(value) < 20 for value in features(scored((1.0, 0.0), (1.0, 0.0)), 1))


def test_clear_answers_are_trusted_more_than_vague_ones() -> None:
    stack = fit(CLEAR * 10 + VAGUE * 10, (GOLDS[:3] * 10) + (GOLDS[3:] * 10), EVERY)
    clear, vague = choose(stack, CLEAR[0]), choose(stack, VAGUE[0])
    assert clear[0] == "A"
    assert clear[1] > 0.8 > 0.3 > vague[1]


def test_the_model_can_overrule_retrieval() -> None:
    stack = fit(CLEAR * 10 + VAGUE * 10, (GOLDS[:3] * 10) + (GOLDS[3:] * 10), EVERY)
    assert choose(stack, scored((0.02, 0.95), (0.42, 0.4)))[0] == "B"


def test_a_feature_that_is_not_kept_has_no_weight() -> None:
    kept = tuple(name != "model_in_doubt" for name in FEATURES)
    assert fit(CLEAR + VAGUE, GOLDS, kept).weights[FEATURES.index("model_in_doubt")] == 0.0


def test_no_candidates_give_no_label() -> None:
    assert choose(fit(CLEAR + VAGUE, GOLDS, EVERY), scored((), ())) == (None, 0.0)


def test_the_model_counts_for_nothing_where_the_spelling_is_the_same() -> None:
    sure, unsure = scored((0.1, 0.8), (1.0, 0.2)), scored((0.1, 0.8), (0.4, 0.2))
    at = FEATURES.index("model_in_doubt")
    assert features(sure, 1)[at] == 0.0
    assert features(unsure, 1)[at] > 0.5
