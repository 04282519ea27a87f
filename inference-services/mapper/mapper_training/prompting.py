"""From a posed example to token ids: the same for training and for scoring."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from llama_mapper.contracts.prompt import LETTERS, MARK_RELATIONS, NONE

from .data import Posed


class AnswerTokens(NamedTuple):
    """The single token of each letter (with its space; ``Z`` last) and of each relation mark."""

    letters: dict[str, int]
    marks: dict[str, int]


def answer_tokens(tokenizer: Any, candidates: int) -> AnswerTokens:
    """Return the tokens an answer is made of.

    Raises:
        ValueError: the tokenizer cuts an answer into other than two tokens; another base needs other letters or marks.
    """
    letters = {letter: _one(tokenizer, " " + letter) for letter in (*LETTERS[:candidates], NONE)}
    marks = {mark: _one(tokenizer, mark) for mark in MARK_RELATIONS}
    for letter, first in letters.items():
        for mark, second in marks.items():
            if tokenizer.encode(f" {letter}{mark}", add_special_tokens=False) != [first, second]:
                raise ValueError(f"{letter + mark!r} is not two tokens")
    return AnswerTokens(letters, marks)


def _one(tokenizer: Any, text: str) -> int:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    if len(ids) != 1:
        raise ValueError(f"{text!r} is not one token")
    return ids[0]


def prompt_ids(tokenizer: Any, posed: Sequence[Posed]) -> list[list[int]]:
    """Return the text up to where the answer begins, with what the tokenizer puts before any text, as vLLM does."""
    ids: list[list[int]] = tokenizer([p.prompt for p in posed])["input_ids"]
    return ids
