"""The prompt and the answer's grammar: what training teaches and serving asks must be the same, so it stands here.

The model is shown a vendor's word and at most ``MAX_CANDIDATES`` canonical labels found by retrieval, each under a
letter, and answers with two characters: a letter (or ``Z``, none of these) and the relation. Two tokens are all that
a mapping costs, the answer is valid by construction, and the letter's log-probabilities are its confidence.
"""

from typing import NamedTuple

from .mapping import Relation

PROMPT_VERSION = "choose.1"
MAX_CANDIDATES = 8
MAX_NEIGHBOURS = 4
NONE = "Z"
LETTERS = "ABCDEFGHIJKLMNOP"

RELATION_MARKS: dict[Relation, str] = {"exact": "=", "broader": "<", "narrower": ">", "related": "~"}
MARK_RELATIONS: dict[str, Relation] = {mark: relation for relation, mark in RELATION_MARKS.items()}


class Candidate(NamedTuple):
    """A canonical label that may be meant, with the words that retrieval found it by."""

    label: str
    hint: str


class Neighbour(NamedTuple):
    """Another vendor's word with its curated label, near in spelling or meaning."""

    word: str
    label: str


def render(
    label: str, description: str | None, kind: str | None, candidates: list[Candidate], neighbours: list[Neighbour]
) -> str:
    """Return the user message.

    Args:
        label, description: the vendor's words, already split into plain words; never content.
        kind: what the detector is for (``pii``, ``secret``, ``content-safety`` …) where known.
        candidates: at most MAX_CANDIDATES; their order decides the letters.
    """
    letter = {candidate.label: LETTERS[i] for i, candidate in enumerate(candidates)}
    lines = ["Choose the category that a detector's label means."]
    lines += [f"{letter[c.label]}: {c.label.replace('.', ' ')} ({c.hint})" for c in candidates]
    lines.append(f"{NONE}: none of these")
    lines += [f"known: {n.word} -> {letter.get(n.label, NONE)}" for n in neighbours]
    lines.append(f"label: {label}" + (f" ({description})" if description else "") + (f" [{kind}]" if kind else ""))
    lines.append("Answer:")
    return "\n".join(lines)


def answer(chosen: str | None, relation: Relation, candidates: list[Candidate]) -> str:
    """Return what the model should say: letter and relation mark, or ``Z=`` for none."""
    labels = [candidate.label for candidate in candidates]
    return LETTERS[labels.index(chosen)] + RELATION_MARKS[relation] if chosen in labels else NONE + "="


def choices(count: int) -> list[str]:
    """Every answer the grammar allows with *count* candidates."""
    return [letter + mark for letter in LETTERS[:count] for mark in MARK_RELATIONS] + [NONE + "="]
