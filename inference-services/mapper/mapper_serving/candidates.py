"""What the model is asked about a label that no rule knows: the nearest canonical labels, as a prompt."""

from collections.abc import Iterable
from dataclasses import dataclass

from llama_mapper.contracts.mapping import VendorFinding
from llama_mapper.contracts.prompt import MAX_CANDIDATES, MAX_NEIGHBOURS
from llama_mapper.taxonomy import Taxonomy
from llama_mapper.taxonomy.retrieval import Entry, Found, Index, Ranker, prompt, query, taxonomy_entries
from llama_mapper.taxonomy.tree import NEGATIVE, UNKNOWN

from .vocabulary import Vocabularies, Vocabulary


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt, and the candidates behind its letters in their order."""

    prompt: str
    found: tuple[Found, ...]


def entries(vocabularies: Iterable[Vocabulary], taxonomy: Taxonomy) -> list[Entry]:
    """Return what retrieval searches: the taxonomy's texts and every curated word, owned by its detector."""
    found = dict.fromkeys(entry for entry in taxonomy_entries(taxonomy) if entry.labels != (UNKNOWN,))
    for vocabulary in vocabularies:
        for word, rule in vocabulary.labels.items():
            labels = (NEGATIVE,) if rule.negative else tuple(target.label for target in rule.targets)
            found[Entry(labels, query(word, rule.description), vocabulary.detector, vocabulary.kind)] = None
    return list(found)


class Questions:
    """Asks the index about findings; building it embeds every entry once, so it belongs into a worker thread."""

    def __init__(self, index: Index, vocabularies: Vocabularies, ranker: Ranker | None = None) -> None:
        self._index = index
        self._ranker = ranker
        self._vocabularies = vocabularies

    def ask(self, finding: VendorFinding) -> Question:
        """Return the prompt for *finding*; CPU work of some milliseconds."""
        kind = self._kind(finding)
        text = query(finding.label, finding.description)
        answer = self._index.search(text, MAX_CANDIDATES, MAX_NEIGHBOURS, kind=kind, ranker=self._ranker)
        rendered, _ = prompt(finding.label, finding.description, kind, answer)
        return Question(rendered, tuple(answer.found))

    def _kind(self, finding: VendorFinding) -> str | None:
        """What the detector is for, as the finding says or as it is known where one of its versions is curated."""
        if finding.kind:
            return finding.kind
        vocabulary = self._vocabularies.find(finding.detector, finding.detector_version)
        return vocabulary.kind if vocabulary else None
