"""Passages by their words: a tantivy index in memory (BM25 over stems), and how much of a question a passage holds."""

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import tantivy
import yaml

from llama_mapper.contracts.wire import Wire

_ENGLISH = "english"
_STEMS = "stems"
_ALIKE_WEIGHT = 0.5


def _analyzer() -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for part in (tantivy.Filter.lowercase(), tantivy.Filter.stopword(_ENGLISH), tantivy.Filter.stemmer(_ENGLISH)):
        builder = builder.filter(part)
    return builder.build()


# Asked in nearly every question and written in no passage for that: they say nothing about what is looked for.
_ASKING = frozenset(
    """do doe what when where which who whom whose why how can could must should may might need we our us i my you your
    they them ani if there have has had would under say ask about mean get someth""".split()  # noqa: SIM905
)


class Words(Wire):
    """What people say for what the rules say."""

    abbreviations: Mapping[str, str]
    alike: tuple[tuple[str, ...], ...]

    @classmethod
    def read(cls) -> "Words":
        return cls.model_validate(yaml.safe_load(Path(__file__).with_name("words.yaml").read_text("utf-8")))

    def spelt_out(self, question: str) -> str:
        """*question* with the meaning of each abbreviation behind it."""
        return re.sub(
            r"[A-Za-z0-9]+",
            lambda word: " ".join((word[0], self.abbreviations.get(word[0].lower(), ""))).strip(),
            question,
        )


class Lexical:
    def __init__(self, texts: Sequence[str], alike: Sequence[Sequence[str]]) -> None:
        """Index *texts*, which are known by their place; words on a line of *alike* half count for each other."""
        self._analyzer = _analyzer()
        self._alike: dict[str, set[str]] = {}
        for words in alike:
            stems = set(self._analyzer.analyze(" ".join(words)))
            for stem in stems:
                self._alike.setdefault(stem, set()).update(stems - {stem})
        self._stems = [frozenset(self._analyzer.analyze(text)) for text in texts]
        counted = Counter(stem for stems in self._stems for stem in stems)
        self._rarity = {stem: math.log(1 + len(texts) / times) for stem, times in counted.items()}
        self._unseen = math.log(1 + 2 * len(texts))
        builder = tantivy.SchemaBuilder()
        builder.add_integer_field("place", stored=True, indexed=True)
        builder.add_text_field("text", tokenizer_name=_STEMS, index_option="freq")
        self._schema = builder.build()
        self._index = tantivy.Index(self._schema)
        self._index.register_tokenizer(_STEMS, self._analyzer)
        writer = self._index.writer(heap_size=15_000_000, num_threads=1)
        for place, text in enumerate(texts):
            writer.add_document(tantivy.Document(place=place, text=text))
        writer.commit()
        writer.wait_merging_threads()
        self._index.reload()

    def stems(self, question: str) -> tuple[str, ...]:
        """The words of a question that say what is looked for, each once."""
        return tuple(dict.fromkeys(stem for stem in self._analyzer.analyze(question) if stem not in _ASKING))

    def rank(self, question: str, among: Collection[int], limit: int) -> list[int]:
        """Places of the passages that share a word with *question*, best first."""
        stems = self.stems(question)
        weights = dict.fromkeys((other for stem in stems for other in self._alike.get(stem, ())), _ALIKE_WEIGHT)
        weights.update(dict.fromkeys(stems, 1.0))
        asked = [
            (tantivy.Occur.Should, tantivy.Query.boost_query(self._term(stem), weight))
            for stem, weight in weights.items()
        ]
        if not asked or not among:
            return []
        searcher = self._index.searcher()
        # All of them, since those of other frameworks are left out afterwards: six hundred are soon ranked.
        hits = searcher.search(tantivy.Query.boolean_query(asked), limit=len(self._stems)).hits
        ranked = sorted(((-score, int(searcher.doc(at).to_dict()["place"][0])) for score, at in hits))
        return [place for _, place in ranked if place in among][:limit]

    def _term(self, stem: str) -> tantivy.Query:
        return tantivy.Query.term_query(self._schema, "text", stem, "freq")

    def coverage(self, question: str, place: int) -> float:
        """Share of the question's words that stand in the passage, rare words counting more, 0 to 1."""
        held = self._stems[place]
        whole = found = 0.0
        for stem in self.stems(question):
            weight = self._rarity.get(stem, self._unseen)
            whole += weight
            if stem in held:
                found += weight
            elif held & self._alike.get(stem, set()):
                found += weight * _ALIKE_WEIGHT
        return found / whole if whole else 0.0
