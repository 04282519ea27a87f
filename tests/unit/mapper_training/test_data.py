import pytest

from llama_mapper.taxonomy import Taxonomy
from llama_mapper.taxonomy.retrieval import Embedder, Index
from mapper_serving.vocabulary import Vocabulary
from mapper_training.data import (
    Asker,
    Example,
    Framing,
    Posed,
    Recipe,
    aliases,
    curated,
    entries,
    hardest,
    nonsense,
    report,
    training_examples,
    varied,
)
from mapper_training.split import Split
from mapper_training.variation import NONSENSE_TEST, NONSENSE_TRAIN

PARTS = Split(frozenset({"alpha", "gamma"}), frozenset({"beta"}))
RECIPE = Recipe(vendor_limit=50, aliases=5, varied=20, nonsense=5, seed=3)


@pytest.fixture
def asker(vocabularies: tuple[Vocabulary, ...], taxonomy: Taxonomy, embedder: Embedder) -> Asker:
    return Asker(Index(entries(vocabularies, taxonomy), embedder), embedder, Framing(candidates=3, neighbours=2))


def one(asker: Asker, example: Example, without: frozenset[str] = frozenset(), kind_told: float = 0.0) -> Posed:
    return asker.pose([example], without, kind_told)[0]


def example(word: str, vendor: str, *labels: str) -> Example:
    return Example(word, None, "pii", vendor, tuple((label, "broader") for label in labels), "curated")


def test_a_negative_word_means_that_nothing_was_found(vocabularies: tuple[Vocabulary, ...]) -> None:
    golds = {e.word: e.gold for e in curated(vocabularies, 50, 1)}
    assert golds["ok"] == (("SAFETY_NEGATIVE.NONE", "exact"),)


def test_a_word_mapped_to_unknown_wants_abstaining(vocabularies: tuple[Vocabulary, ...]) -> None:
    golds = {e.word: e.gold for e in curated(vocabularies, 50, 1)}
    assert golds["odd"] == ()


def test_a_large_vendor_is_sampled_to_the_limit(vocabularies: tuple[Vocabulary, ...]) -> None:
    found = curated(vocabularies, 1, 1)
    assert [e.vendor for e in found] == ["alpha", "beta", "gamma"]


def test_an_index_never_leads_to_unknown(vocabularies: tuple[Vocabulary, ...], taxonomy: Taxonomy) -> None:
    assert all("OTHER.Unknown" not in entry.labels for entry in entries(vocabularies, taxonomy))


def test_the_right_letter_and_relation_are_wanted(asker: Asker) -> None:
    posed = one(asker, example("dial number", "new", "PII.Phone"))
    at = [found.label for found in posed.found].index("PII.Phone")
    assert posed.answer == " " + "ABC"[at] + "<"


def test_a_label_that_retrieval_missed_wants_none_of_these(asker: Asker) -> None:
    assert one(asker, example("mailbox", "new", "SECRET.Key")).answer == " Z="


def test_nonsense_wants_none_of_these(asker: Asker) -> None:
    assert one(asker, nonsense(1, 1, test=False)[0]).answer == " Z="


def test_a_vendors_own_words_are_hidden_from_its_questions(asker: Asker) -> None:
    assert "mailbox" not in one(asker, example("mailbox", "beta", "PII.Email")).prompt.rpartition("\n")[0]


def test_words_of_hidden_vendors_are_in_no_prompt(asker: Asker) -> None:
    prompt = one(asker, example("mail", "new", "PII.Email"), frozenset({"beta"})).prompt
    assert "mailbox" not in prompt


def test_an_alias_is_asked_about_as_if_unknown(asker: Asker) -> None:
    alias = Example("telephone", None, None, "taxonomy", (("PII.Phone", "exact"),), "alias")
    assert all(found.lexical < 0.9 for found in one(asker, alias).found)


@pytest.mark.parametrize(("share", "told"), [(0.0, False), (1.0, True)])
def test_the_kind_is_told_for_the_share_asked(asker: Asker, share: float, told: bool) -> None:
    assert one(asker, example("mail", "new", "PII.Email"), kind_told=share).prompt.startswith("kind: pii") is told


def test_respellings_keep_what_a_word_means(vocabularies: tuple[Vocabulary, ...]) -> None:
    sources = curated(vocabularies, 50, 1)
    golds = {e.gold for e in sources}
    made = varied(sources, 40, 5)
    assert len(made) == 40
    assert {e.gold for e in made} <= golds


def test_respellings_of_one_seed_are_the_same(vocabularies: tuple[Vocabulary, ...]) -> None:
    sources = curated(vocabularies, 50, 1)
    assert varied(sources, 10, 5) == varied(sources, 10, 5)


def test_nonsense_of_the_test_is_not_that_of_training() -> None:
    assert not {w.casefold() for w in NONSENSE_TEST} & {w.casefold() for w in NONSENSE_TRAIN}
    trained, tested = ({e.text for e in nonsense(200, 9, test)} for test in (False, True))
    assert not trained & tested


def test_training_holds_no_word_of_a_vendor_held_out(vocabularies: tuple[Vocabulary, ...], taxonomy: Taxonomy) -> None:
    counts = report(vocabularies, training_examples(vocabularies, taxonomy, PARTS, RECIPE), PARTS)
    leaks = {name: n for name, n in counts.items() if name not in ("training", "test_texts") and "shared" not in name}
    assert counts["training"] > 10
    assert set(leaks.values()) == {0}


def test_a_leak_is_reported(vocabularies: tuple[Vocabulary, ...]) -> None:
    counts = report(vocabularies, [example("mailbox", "beta", "PII.Email")], PARTS)
    assert (counts["test_texts_in_training"], counts["training_of_held_out_vendors"]) == (1, 1)


def test_training_examples_of_one_seed_are_the_same(vocabularies: tuple[Vocabulary, ...], taxonomy: Taxonomy) -> None:
    first, again = (training_examples(vocabularies, taxonomy, PARTS, RECIPE) for _ in range(2))
    assert first == again


def test_no_example_stands_twice(vocabularies: tuple[Vocabulary, ...], taxonomy: Taxonomy) -> None:
    keys = [(e.text, e.vendor) for e in training_examples(vocabularies, taxonomy, PARTS, RECIPE)]
    assert len(keys) == len(set(keys))


def test_aliases_of_unknown_are_not_taught(taxonomy: Taxonomy) -> None:
    assert all("OTHER.Unknown" not in e.labels for e in aliases(taxonomy))


def test_shuffled_candidates_keep_the_right_answer(asker: Asker) -> None:
    examples = [example("dial number", "new", "PII.Phone")] * 20
    posed = asker.pose(examples, frozenset(), 0.0, shuffle=1)
    assert len({p.answer for p in posed}) > 1
    assert all(p.found["ABC".index(p.answer[1])].label == "PII.Phone" for p in posed)


def test_easy_questions_are_thinned_out_and_hard_ones_kept(asker: Asker) -> None:
    easy, hard = example("telephone", "new", "PII.Phone"), example("zzz", "new", "PII.Phone")
    posed = asker.pose([easy, hard] * 10, frozenset(), 0.0)
    kept = hardest(posed, Recipe(easy_score=0.9, easy_share=0.2))
    assert sum(p.example is hard for p in kept) == 10
    assert sum(p.example is easy for p in kept) < 6
