"""Each candidate's confidence, as it is shown to a person."""

import pytest

from llama_mapper.contracts.confidence import Scored, Stack, choose, confidences

STACK = Stack(weights=(0.0, 1.0, 0.5, 0.5, -0.5), reading=(0.0, 1.0, 0.1, 1.0))


def scored(letters: tuple[float, ...], odds: tuple[float, ...], near: tuple[float, ...]) -> Scored:
    labels = ("PII", "HARM", "BIAS")[: len(letters)]
    return Scored.model_validate(
        {"labels": labels, "letters": letters, "none": 0.01, "relations": {}, "scores": near, "odds": odds}
    )


@pytest.mark.parametrize(
    ("said", "order"),
    [
        (scored((0.1, 0.8, 0.09), (0.0, 0.0, 0.0), (0.5, 0.5, 0.5)), ["HARM", "PII", "BIAS"]),
        (scored((0.3, 0.3, 0.3), (-1.0, 0.0, 2.0), (0.1, 0.1, 0.1)), ["BIAS", "HARM", "PII"]),
        (scored((0.3, 0.3, 0.3), (1.0, 1.0, 1.0), (0.1, 0.5, 0.9)), ["PII", "HARM", "BIAS"]),
        (scored((0.9,), (1.0,), (0.9,)), ["PII"]),
        (scored((), (), ()), []),
    ],
)
def test_the_best_candidate_is_the_answer_and_no_other_is_surer(said: Scored, order: list[str]) -> None:
    ranked = confidences(STACK, said)
    assert [label for label, _ in ranked] == order
    shown = [confidence for _, confidence in ranked]
    assert shown == sorted(shown, reverse=True)
    assert all(0 <= confidence <= 1 for confidence in shown)
    assert ranked[:1] == ((choose(STACK, said),) if order else ())
