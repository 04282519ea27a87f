import pytest

from llama_mapper.contracts import prompt
from llama_mapper.contracts.prompt import Candidate, Neighbour, answer, choices, render

TWO = [Candidate("PII.Email", "pii email", "mail address"), Candidate("PII.Phone", "pii phone", "")]


def test_the_prompt_is_lines_of_words_and_letters() -> None:
    near = [Neighbour("mailbox", "PII.Email"), Neighbour("e mail", "PII.Email")]
    assert render("correo", "dirección", "pii", TWO, near) == (
        "kind: pii\npii email, mail address -> A\npii phone -> B\nnone of these -> Z\n"
        "e mail -> A\nmailbox -> A\ncorreo dirección ->"
    )


def test_what_is_not_known_is_not_shown() -> None:
    assert render("x", None, None, [], []) == "none of these -> Z\nx ->"


def test_a_neighbour_whose_label_is_no_candidate_is_left_out() -> None:
    assert "slur" not in render("x", None, None, TWO, [Neighbour("slur", "HARM.Hate")])


def test_a_long_name_is_cut() -> None:
    assert len(render("x" * 5000, "y" * 5000, None, [], [])) < prompt.MAX_NAME + prompt.MAX_DETAIL + 40


@pytest.mark.parametrize(
    ("chosen", "expected"), [("PII.Email", " A<"), ("PII.Phone", " B<"), ("HARM.Hate", " Z="), (None, " Z=")]
)
def test_the_answer_is_letter_and_relation(chosen: str | None, expected: str) -> None:
    assert answer(chosen, "broader", TWO) == expected


def test_every_answer_is_among_the_choices() -> None:
    assert {answer(label, "related", TWO) for label in ("PII.Email", "PII.Phone", None)} <= set(choices(2))


def test_a_letter_without_a_candidate_cannot_be_chosen() -> None:
    assert not [choice for choice in choices(2) if choice.startswith(" C")]


def test_there_are_letters_enough_and_none_is_not_one_of_them() -> None:
    assert len(prompt.LETTERS) >= prompt.MAX_CANDIDATES
    assert prompt.NONE not in prompt.LETTERS
