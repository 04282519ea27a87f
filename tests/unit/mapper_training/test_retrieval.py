import pytest

from llama_mapper.taxonomy import Taxonomy
from llama_mapper.taxonomy.retrieval import Embedder, Entry, Index, query, taxonomy_entries, words


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("cust_ssn_leak_v3", "cust ssn leak v3"),
        ("CreditCardNumber", "credit card number"),
        ("USDriverLicense", "us driver license"),
        ("moderated_content/hate", "moderated content hate"),
        ("Gewaltverherrlichung", "gewaltverherrlichung"),
        ("número-de-teléfono", "número de teléfono"),
        ("S7", "s7"),
        ("oauth2", "oauth 2"),
        ("IPV4Address", "ipv 4 address"),
        ("__", ""),
    ],
)
def test_a_label_is_cut_into_plain_words(label: str, expected: str) -> None:
    assert words(label) == expected


def test_a_query_is_the_label_and_its_description() -> None:
    assert query("S7", "Privacy & Data") == "s7 privacy data"


def test_a_query_without_a_description_is_the_label_alone() -> None:
    assert query("S7") == "s7"


@pytest.fixture
def index(taxonomy: Taxonomy, embedder: Embedder) -> Index:
    curated = [
        Entry(("PII.Email",), "mailbox", "beta", "pii"),
        Entry(("PII.Phone",), "handset", "beta", "pii"),
        Entry(("HARM.Hate",), "number of slurs", "gamma", "hate"),
    ]
    return Index([*taxonomy_entries(taxonomy), *curated], embedder)


def test_the_label_with_the_nearest_text_comes_first(index: Index) -> None:
    assert index.search("phone numbers", 3, 0).found[0].label == "PII.Phone"


def test_each_label_is_found_once(index: Index) -> None:
    labels = [found.label for found in index.search("mail", 9, 0).found]
    assert len(labels) == len(set(labels))


def test_a_word_in_another_language_is_found_by_its_meaning(index: Index) -> None:
    assert index.search("correo", 1, 0).found[0].label == "PII.Email"


def test_without_an_embedder_spelling_alone_decides(taxonomy: Taxonomy) -> None:
    found = Index(taxonomy_entries(taxonomy)).search("telephones", 1, 0).found[0]
    assert (found.label, found.semantic) == ("PII.Phone", found.lexical)


def test_hidden_owners_neither_lead_to_labels_nor_stand_as_neighbours(index: Index) -> None:
    seen, unseen = index.search("handset", 1, 3), index.search("handset", 1, 3, without={"beta"})
    assert seen.found[0].label == "PII.Phone"
    assert unseen.found[0].score < seen.found[0].score
    assert {near.text for near in unseen.near} <= {"number of slurs"}


def test_hidden_texts_do_not_find_themselves(index: Index) -> None:
    assert index.search("telephone", 1, 0).found[0].lexical == pytest.approx(1.0, abs=1e-4)
    assert index.search("telephone", 1, 0, hidden_texts={"telephone"}).found[0].lexical < 0.9


def test_neighbours_are_words_of_vendors_only(index: Index) -> None:
    assert {near.text for near in index.search("mail", 0, 9).near} <= {"mailbox", "handset", "number of slurs"}


def test_the_hint_is_the_taxonomys_own_text(index: Index) -> None:
    assert index.search("mailbox", 1, 0).found[0].hint in {"email", "e mail address"}


def test_the_same_question_gets_the_same_answer_from_an_index_built_again(
    taxonomy: Taxonomy, embedder: Embedder
) -> None:
    built = [Index(taxonomy_entries(taxonomy), embedder).search("e mail", 9, 3) for _ in range(2)]
    assert built[0] == built[1]


@pytest.mark.parametrize("text", ["", "…", "\u4e2d\u6587", "x" * 300])
def test_any_text_gets_an_answer(index: Index, text: str) -> None:
    assert len(index.search(text, 4, 2).found) == 4


def test_a_word_with_two_meanings_leads_to_both(embedder: Embedder) -> None:
    index = Index([Entry(("HARM.Hate", "HARM.Violence"), "hate and violence", "delta")], embedder)
    assert {found.label for found in index.search("hate", 4, 1).found} == {"HARM.Hate", "HARM.Violence"}
