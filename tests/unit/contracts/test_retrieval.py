from typing import Any

import pytest
from pydantic import ValidationError

from llama_mapper.contracts.retrieval import RetrievalRequest, RetrievalResponse

PASSAGE: dict[str, Any] = {
    "text": "Whoever decides why and how personal data are processed must be able to show that the rules are kept.",
    "framework": "gdpr",
    "section": "Art. 5(2)",
    "citation": "Regulation (EU) 2016/679, Article 5(2)",
    "authority": "European Union",
    "published": "2016-04-27",
    "score": 0.82,
}
ANSWER: dict[str, Any] = {"abstained": False, "passages": [PASSAGE], "knowledge_version": "2026.11"}


@pytest.mark.parametrize(
    "question",
    [
        "Who must be told of a breach, and when?",
        "What does 45 CFR 164.312(a)(1) ask for?",
        "ISO/IEC 27001:2022 A.8.12?",
        "¿Qué exige el artículo 32?",
        "DPO",
        "x" * 300,
    ],
)
def test_a_question_about_rules_passes(question: str) -> None:
    assert RetrievalRequest(question=question).question == question


@pytest.mark.parametrize(
    "question",
    [
        pytest.param("", id="empty"),
        pytest.param("     ", id="blank"),
        pytest.param("??", id="two characters"),
        pytest.param("x" * 301, id="long"),
        pytest.param("May we keep\nthis letter?", id="two lines"),
        pytest.param("May we keep ada@example.org?", id="e-mail"),
        pytest.param("Is +49 171 5550142 personal data?", id="phone"),
        pytest.param("Is 4111 1111 1111 1111 in scope?", id="card"),
        pytest.param("Is AKIAIOSFODNN7EXAMPLE a secret?", id="key"),
        pytest.param("is it " + "so " * 60, id="many words"),
        pytest.param("What do 164.308-164.312 ask for?", id="section numbers that read like a phone number"),
    ],
)
def test_a_question_with_a_value_or_a_text_in_it_is_refused(question: str) -> None:
    with pytest.raises(ValidationError):
        RetrievalRequest(question=question)


@pytest.mark.parametrize(
    "change",
    [{"limit": 0}, {"limit": 21}, {"frameworks": []}, {"frameworks": ["GDPR"]}, {"tenant": "demo"}],
    ids=str,
)
def test_a_request_with_a_fault_is_refused(change: dict[str, Any]) -> None:
    asked: dict[str, Any] = {"question": "Who must be told?", "frameworks": ["gdpr"], "limit": 20}
    assert RetrievalRequest.model_validate(asked)
    with pytest.raises(ValidationError):
        RetrievalRequest.model_validate(asked | change)


@pytest.mark.parametrize("change", [{}, {"abstained": True, "passages": []}], ids=["quotes", "abstains"])
def test_an_answer_quotes_or_abstains(change: dict[str, Any]) -> None:
    answer = RetrievalResponse.model_validate(ANSWER | change)
    assert RetrievalResponse.model_validate_json(answer.model_dump_json()) == answer


@pytest.mark.parametrize(
    "change",
    [
        {"abstained": True},
        {"passages": []},
        *({"passages": [PASSAGE | {name: ""}]} for name in ("text", "section", "citation", "authority")),
        {"passages": [PASSAGE | {"published": "2016-04-27T10:00:00Z"}]},
        {"passages": [PASSAGE | {"score": 1.5}]},
        {"passages": [PASSAGE | {"section": "x" * 81}]},
        {"passages": [{name: value for name, value in PASSAGE.items() if name != "citation"}]},
    ],
    ids=range(10),
)
def test_an_answer_without_what_it_rests_on_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RetrievalResponse.model_validate(ANSWER | change)
