"""Examples for training, calibration and test, each asked as serving would ask about a vendor it has never seen.

For an example's candidates and neighbours the words of its own vendor's family are hidden, in training also those of
every vendor that tests. So a prompt of training looks like one of the test, and holds nothing of it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from llama_mapper.contracts.mapping import Relation
from llama_mapper.contracts.prompt import MAX_CANDIDATES, MAX_NEIGHBOURS, answer
from llama_mapper.taxonomy import Taxonomy
from llama_mapper.taxonomy.retrieval import (
    Answer,
    Embedder,
    Entry,
    Found,
    Index,
    Near,
    Ranker,
    prompt,
    query,
    taxonomy_entries,
    words,
)
from llama_mapper.taxonomy.tree import NEGATIVE, UNKNOWN
from mapper_serving.vocabulary import Rule, Vocabulary

from .split import Split, family
from .variation import NONSENSE_TEST, NONSENSE_TRAIN, coded, dice, gibberish, of_country, respell

Source = Literal["curated", "alias", "varied", "nonsense"]
DATA_VERSION = "4"


@dataclass(frozen=True, slots=True)
class Framing:
    """How much of retrieval the prompt shows: what the model pays for in every answer."""

    candidates: int = MAX_CANDIDATES
    neighbours: int = MAX_NEIGHBOURS


@dataclass(frozen=True, slots=True)
class Example:
    """A vendor's word with what it means; ``gold`` empty means that the model must abstain."""

    word: str
    description: str | None
    kind: str | None
    vendor: str
    gold: tuple[tuple[str, Relation], ...]
    source: Source

    @property
    def text(self) -> str:
        return query(self.word, self.description)

    @property
    def labels(self) -> frozenset[str]:
        return frozenset(label for label, _ in self.gold)


@dataclass(frozen=True, slots=True)
class Posed:
    """An example with its prompt, the answer wanted, and what retrieval said (``found`` best first)."""

    example: Example
    prompt: str
    answer: str
    found: tuple[Found, ...]
    near: tuple[Near, ...]


def curated(vocabularies: Iterable[Vocabulary], limit: int, seed: int) -> list[Example]:
    """Return the curated words of every vendor, at most *limit* a vendor (a sample by *seed*), in a fixed order."""
    by_vendor: dict[str, dict[str, Example]] = {}
    for vocabulary in vocabularies:
        for word, rule in vocabulary.labels.items():
            example = _example(vocabulary, word, rule)
            by_vendor.setdefault(vocabulary.detector, {}).setdefault(example.text, example)
    found = []
    for vendor, examples in sorted(by_vendor.items()):
        chosen = sorted(examples)
        if len(chosen) > limit:
            chosen = sorted(dice(f"{seed} {vendor}").sample(chosen, limit))
        found += [examples[text] for text in chosen]
    return found


def _example(vocabulary: Vocabulary, word: str, rule: Rule) -> Example:
    gold: list[tuple[str, Relation]] = [(t.label, t.relation) for t in rule.targets if t.label != UNKNOWN]
    if rule.negative:
        gold = [(NEGATIVE, "exact")]
    return Example(word, rule.description, vocabulary.kind, vocabulary.detector, tuple(gold), "curated")


def aliases(taxonomy: Taxonomy) -> list[Example]:
    """Return the taxonomy's aliases, English and other languages, as words of a vendor called ``taxonomy``."""
    return [
        Example(alias, None, None, "taxonomy", ((label.name, "exact"),), "alias")
        for label in taxonomy.labels
        for alias in label.aliases
        if label.name != UNKNOWN
    ]


def varied(examples: Sequence[Example], count: int, seed: int) -> list[Example]:
    """Return *count* respellings of *examples*: style, prefixes, typos, codes with a description, countries."""
    chance = dice(seed)
    made = []
    for _ in range(count):
        example = chance.choice(examples)
        plain, description = words(example.word), example.description
        if not plain:
            continue
        if description is None and len(plain) > 3 and chance.random() < 0.2:
            word, description = coded(plain, chance)
        elif example.gold and example.gold[0][0].startswith("PII.Identifier") and chance.random() < 0.3:
            word = of_country(plain, chance)
        else:
            word = respell(plain, chance)
        made.append(Example(word, description, example.kind, example.vendor, example.gold, "varied"))
    return made


def nonsense(count: int, seed: int, test: bool) -> list[Example]:
    """Return words that mean no category; the lists for training and test share none."""
    chance = dice(f"{seed} {test}")
    listed = list(NONSENSE_TEST if test else NONSENSE_TRAIN)
    made = listed[:count]
    while len(made) < count:
        made.append(gibberish(chance) if chance.random() < 0.5 else respell(words(chance.choice(listed)), chance))
    kinds = ("pii", "secret", "content-safety", None)
    return [Example(word, None, chance.choice(kinds), "nonsense", (), "nonsense") for word in made]


def entries(vocabularies: Iterable[Vocabulary], taxonomy: Taxonomy) -> list[Entry]:
    """Return what retrieval searches: the taxonomy's texts and every curated word, owned by its vendor's family."""
    found = [entry for entry in taxonomy_entries(taxonomy) if entry.labels != (UNKNOWN,)]
    seen: set[Entry] = set()
    for vocabulary in vocabularies:
        for word, rule in vocabulary.labels.items():
            example = _example(vocabulary, word, rule)
            entry = Entry(
                tuple(label for label, _ in example.gold), example.text, family(vocabulary.detector), vocabulary.kind
            )
            if entry.labels and entry not in seen:
                seen.add(entry)
                found.append(entry)
    return found


class Asker:
    """Poses examples: searches the index and renders the prompt, as serving does for an unseen vendor."""

    def __init__(self, index: Index, embedder: Embedder | None, framing: Framing, ranker: Ranker | None = None) -> None:
        self._index = index
        self._embedder = embedder
        self._framing = framing
        self._ranker = ranker

    def pose(
        self, examples: Sequence[Example], without: frozenset[str], kind_told: float, shuffle: int | None = None
    ) -> list[Posed]:
        """Pose *examples* with the families *without* hidden, and always the example's own.

        An alias is asked about with itself hidden, else every alias would find itself. The detector's kind is told for
        a share *kind_told* of the examples: a caller may know it or not. With *shuffle* (a seed) the candidates are
        dealt letters by chance, so that a model learns to read and not that A is often right.
        """
        chance = dice(shuffle or 0)
        vectors = self._embedder.embed([e.text for e in examples]) if self._embedder and examples else None
        posed = []
        for i, example in enumerate(examples):
            kind = example.kind if chance.random() < kind_told else None
            hide = {example.text} if example.vendor == "taxonomy" else set()
            answered = self._index.search(
                example.text,
                self._framing.candidates,
                self._framing.neighbours,
                without=without | {family(example.vendor)},
                hidden_texts=hide,
                kind=kind,
                vector=None if vectors is None else vectors[i],
                ranker=self._ranker,
            )
            if shuffle is not None:
                chance.shuffle(answered.found)
            posed.append(_posed(example, answered, kind))
        return posed


def _posed(example: Example, answered: Answer, kind: str | None) -> Posed:
    text, candidates = prompt(example.word, example.description, kind, answered)
    right = [f for f in answered.found if f.label in example.labels]
    chosen = max(right, key=lambda f: f.score).label if right else None
    relation = dict(example.gold)[chosen] if chosen else "exact"
    return Posed(example, text, answer(chosen, relation, candidates), tuple(answered.found), tuple(answered.near))


@dataclass(frozen=True, slots=True)
class Recipe:
    """How many examples of each sort train the model; a ``training.json`` holds these numbers.

    Of examples that retrieval answers with ``easy_score`` or more only ``easy_share`` is kept: where spelling settles
    the matter the model is not needed, and its time is better spent on the others.
    """

    vendor_limit: int = 100
    aliases: int = 300
    varied: int = 500
    nonsense: int = 150
    seed: int = 7
    easy_score: float = 9.0
    easy_share: float = 1.0


def training_examples(
    vocabularies: Sequence[Vocabulary], taxonomy: Taxonomy, parts: Split, recipe: Recipe
) -> list[Example]:
    """Return the shuffled examples of the families that train; a text that another part has too stands only there.

    The same words used by a test vendor are dropped here: the test then shows what was learned, not remembered.
    """
    everything = curated(vocabularies, recipe.vendor_limit, recipe.seed)
    own = [e for e in everything if family(e.vendor) in parts.train]
    chance = dice(recipe.seed)
    named = aliases(taxonomy)
    made = [
        *own,
        *chance.sample(named, min(recipe.aliases, len(named))),
        *varied([*own, *named], recipe.varied, recipe.seed),
        *nonsense(recipe.nonsense, recipe.seed, test=False),
    ]
    held = held_out_texts(vocabularies, parts)
    seen: set[tuple[str, str]] = set()
    kept = []
    for example in made:
        key = (example.text, example.vendor)
        if example.text and example.text not in held and key not in seen:
            seen.add(key)
            kept.append(example)
    chance.shuffle(kept)
    return kept


def hardest(posed: Sequence[Posed], recipe: Recipe) -> list[Posed]:
    """Return *posed* without most of what is easy for retrieval, in the same order."""
    chance = dice(recipe.seed)
    kept = []
    for example in posed:
        best = max((f.score for f in example.found), default=0.0)
        if chance.random() < recipe.easy_share or best < recipe.easy_score:
            kept.append(example)
    return kept


def held_out_texts(vocabularies: Iterable[Vocabulary], parts: Split) -> frozenset[str]:
    """Return every text of a vendor that tests."""
    return frozenset(_held_out(vocabularies, parts.test))


def _held_out(vocabularies: Iterable[Vocabulary], families: frozenset[str]) -> Iterator[str]:
    for vocabulary in vocabularies:
        if family(vocabulary.detector) in families:
            yield from (query(word, rule.description) for word, rule in vocabulary.labels.items())


def report(vocabularies: Sequence[Vocabulary], training: Sequence[Example], parts: Split) -> dict[str, int]:
    """Count what could leak: all but ``shared_*`` must be 0, and the tests say so.

    ``shared_test_texts`` are words that a test vendor has in common with a training vendor's vocabulary: retrieval
    finds them, as it would in use; figures are therefore given with and without them.
    """
    test = set(_held_out(vocabularies, parts.test))
    others = set(_held_out(vocabularies, parts.train))
    texts = {e.text for e in training}
    return {
        "training": len(training),
        "test_texts": len(test),
        "shared_test_texts": len(test & others),
        "test_texts_in_training": len(texts & test),
        "training_of_held_out_vendors": sum(family(e.vendor) in parts.test for e in training),
        "families_in_two_parts": len(parts.train & parts.test),
    }
