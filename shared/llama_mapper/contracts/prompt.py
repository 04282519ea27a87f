"""The prompt and the answer's grammar: what training teaches and serving asks must be the same, so it stands here.

The model continues a list of lines ``words -> letter``: the candidates that retrieval found, other vendors' words near
the one asked about, and that word last. It answers with two tokens, a letter (``Z``, none of these) and the relation;
so an answer is valid by construction, and the letter's log-probabilities are its confidence.

The letter stands after the words. With letters first and a chat template a model of 135 million parameters learned no
more than how often each letter is right; in this form it chooses by content before any training, and the prompt is a
third shorter. It is a completion, not a chat: no template comes between the word and its answer.
"""

from typing import NamedTuple

from .mapping import Relation

PROMPT_VERSION = "choose.3"
# Short on purpose: every token is paid for in each answer and each step of training. Six candidates hold the right one
# almost as often as eight (0.93 against 0.94 of unseen vendors' words).
MAX_CANDIDATES = 6
MAX_NEIGHBOURS = 3
HINT_WORDS = 4
MAX_NAME = 120
MAX_DETAIL = 160
ANSWER_TOKENS = 2
NONE = "Z"
LETTERS = "ABCDEFGHIJKLMNOP"

RELATION_MARKS: dict[Relation, str] = {"exact": "=", "broader": "<", "narrower": ">", "related": "~"}
MARK_RELATIONS: dict[str, Relation] = {mark: relation for relation, mark in RELATION_MARKS.items()}


class Candidate(NamedTuple):
    """A canonical label that may be meant, in plain words; no hint where the label says it all."""

    label: str
    words: str
    hint: str


class Neighbour(NamedTuple):
    """Another vendor's word with its curated label, near in spelling or meaning."""

    word: str
    label: str


def render(
    label: str, description: str | None, kind: str | None, candidates: list[Candidate], neighbours: list[Neighbour]
) -> str:
    """Return the text that the model continues, without a space at its end.

    Args:
        label, description: the vendor's words, already split into plain words (one line); never content.
        kind: what the detector is for (``pii``, ``secret``, ``content-safety`` …) where known.
        candidates: at most MAX_CANDIDATES; their order decides the letters.
        neighbours: nearest first; those whose label is no candidate are left out.
    """
    letter = {candidate.label: LETTERS[i] for i, candidate in enumerate(candidates)}
    lines = [f"kind: {kind}"] if kind else []
    lines += [f"{c.words}{', ' + c.hint if c.hint else ''} -> {letter[c.label]}" for c in candidates]
    lines.append(f"none of these -> {NONE}")
    known = [n for n in neighbours if n.label in letter][:MAX_NEIGHBOURS]
    lines += [f"{n.word[:MAX_NAME]} -> {letter[n.label]}" for n in reversed(known)]
    detail = f" {description[:MAX_DETAIL]}" if description else ""
    return "\n".join([*lines, f"{label[:MAX_NAME]}{detail} ->"])


def answer(chosen: str | None, relation: Relation, candidates: list[Candidate]) -> str:
    """Return what the model should say: a space, letter and relation mark, or `` Z=`` for none."""
    labels = [candidate.label for candidate in candidates]
    return " " + (LETTERS[labels.index(chosen)] + RELATION_MARKS[relation] if chosen in labels else NONE + "=")


def choices(count: int) -> list[str]:
    """Every answer the grammar allows with *count* candidates."""
    return [f" {letter}{mark}" for letter in LETTERS[:count] for mark in MARK_RELATIONS] + [f" {NONE}="]
