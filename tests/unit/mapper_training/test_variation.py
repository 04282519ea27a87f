import random

import pytest

from llama_mapper.taxonomy.retrieval import words
from mapper_training.variation import coded, gibberish, of_country, respell


@pytest.mark.parametrize("seed", range(40))
def test_a_respelling_is_still_near_the_word(seed: int) -> None:
    made = words(respell("social security number", random.Random(seed)))
    assert "s" in made
    assert any(part in made for part in ("social", "security", "sec", "scl", "scrty"))


def test_a_word_of_one_letter_can_be_respelled() -> None:
    assert all(respell("x", random.Random(seed)) for seed in range(40))


def test_a_code_has_the_words_as_its_description() -> None:
    code, description = coded("privacy", random.Random(1))
    assert (description, any(c.isdigit() for c in code)) == ("Privacy", True)


def test_a_country_stands_before_the_word() -> None:
    assert words(of_country("tax id", random.Random(2))).endswith(("tax id", "taxid"))


def test_gibberish_is_short_letters() -> None:
    assert all(3 <= len(gibberish(random.Random(seed))) <= 10 for seed in range(20))
