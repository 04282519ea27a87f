import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from functions.analyze.frameworks import Frameworks
from functions.analyze.guidance.knowledge import SECTIONS, Knowledge, KnowledgeError, read
from functions.analyze.guidance.naming import is_part
from functions.analyze.settings import Settings
from tests.performance.guidance.questions import read as read_questions

FOLDER = Path(Settings.model_fields["knowledge"].default)
CITATIONS = {
    "gdpr": r"Regulation \(EU\) 2016/679, (Article|Recital) .+",
    "hipaa": r"45 CFR 16[04]\.\d{3}.*",
    "soc2": r"AICPA TSP section 100, criterion .+",
    "iso27001": r"ISO/IEC 27001:2022, (Annex A, control|clause) [\d.]+",
    "eu-ai-act": r"Regulation \(EU\) 2024/1689, (Article|Annex) .+",
    "nist-ai-rmf": r"NIST AI (100-1, (subcategory [A-Z]+ [\d.]+|section 3\.\d)|600-1, section 2\.\d+)",
    "iso42001": r"ISO/IEC 42001:2023, (Annex A, control A\.|clause )[\d.]+",
    "pci-dss": r"PCI DSS v4\.0\.1, requirement [\d.]+",
    "nist-csf": r"NIST CSF 2\.0, subcategory .+",
}
FILE: dict[str, Any] = {
    "framework": "gdpr",
    "version": "2026.11",
    "documents": [
        {
            "title": "General Data Protection Regulation",
            "edition": "Regulation (EU) 2016/679",
            "jurisdiction": "European Union",
            "authority": "European Union",
            "published": "2016-05-04",
            "reference": "https://eur-lex.europa.eu/eli/reg/2016/679/oj",
            "passages": [
                {
                    "section": "Art. 16",
                    "citation": "Regulation (EU) 2016/679, Article 16",
                    "title": "Right to rectification",
                    "text": "A person may have inaccurate data about them corrected.",
                }
            ],
        }
    ],
}


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return Knowledge.load(FOLDER)


def written(tmp_path: Path, document: Any) -> Path:
    path = tmp_path / "gdpr.yaml"
    path.write_text(yaml.safe_dump(document), "utf-8")
    return path


def changed(**passage: str) -> dict[str, Any]:
    document = FILE["documents"][0]
    return FILE | {"documents": [document | {"passages": [document["passages"][0] | passage]}]}


def test_the_knowledge_holds_what_the_frameworks_hold(knowledge: Knowledge) -> None:
    mapped = {
        framework.framework for framework in Frameworks.load(Path(Settings.model_fields["frameworks"].default)).all
    }
    assert set(knowledge.frameworks) == mapped == set(SECTIONS)
    assert len(knowledge.passages) >= 250
    assert min(Counter(known.framework for known in knowledge.passages).values()) >= 20


def test_every_control_that_a_label_touches_can_be_asked_about(knowledge: Knowledge) -> None:
    frameworks = Frameworks.load(Path(Settings.model_fields["frameworks"].default))
    sections = {(known.framework, known.written.section) for known in knowledge.passages}
    for framework in frameworks.all:
        own = [section for name, section in sections if name == framework.framework]
        for control in framework.controls:
            assert any(is_part(section, control.id) for section in own), f"{framework.framework} {control.id}"


def test_every_citation_has_its_frameworks_form(knowledge: Knowledge) -> None:
    for known in knowledge.passages:
        assert re.fullmatch(CITATIONS[known.framework], known.written.citation), known.written.citation


def test_a_passage_is_one_to_four_sentences(knowledge: Knowledge) -> None:
    for known in knowledge.passages:
        sentences = re.findall(r"[A-Za-z0-9%)]\.(?= [A-Z]|$)", known.written.text)
        assert 1 <= len(sentences) <= 4, known.written.section


def test_no_two_passages_say_the_same(knowledge: Knowledge) -> None:
    times = Counter(known.written.text for known in knowledge.passages)
    assert [text for text, count in times.items() if count > 1] == []


def test_a_changed_date_changes_the_version_and_not_what_vectors_are_made_of(tmp_path: Path) -> None:
    before = Knowledge([read(written(tmp_path, FILE))])
    later = FILE | {"documents": [FILE["documents"][0] | {"published": "2016-05-05"}]}
    after = Knowledge([read(written(tmp_path, later))])
    assert before.version != after.version
    assert before.digest == after.digest


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (FILE | {"framework": "hipaa"}, "calls itself hipaa"),
        (changed(section="Article 16"), "no section of gdpr"),
        (changed(citation="Regulation (EU) 2016/679, Article 17"), "names another section"),
        (changed(text="No full stop at the end of what it says"), "passages.0.text"),
        (changed(text="Long. " * 90 + "."), "passages.0.text"),
        (changed(author="somebody"), "passages.0.author"),
        (FILE | {"documents": [FILE["documents"][0] | {"published": "May 2016"}]}, "documents.0.published"),
        (
            FILE | {"documents": [FILE["documents"][0] | {"passages": FILE["documents"][0]["passages"] * 2}]},
            "comes twice",
        ),
        ([], "(file)"),
    ],
    ids=range(9),
)
def test_a_file_with_a_fault_is_refused_with_its_place(tmp_path: Path, document: Any, said: str) -> None:
    with pytest.raises(KnowledgeError, match=re.escape(said)):
        read(written(tmp_path, document))


def test_what_is_no_yaml_and_what_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gdpr.yaml").write_text("{", "utf-8")
    with pytest.raises(KnowledgeError, match="cannot be read"):
        Knowledge.load(tmp_path)
    with pytest.raises(KnowledgeError, match="no knowledge"):
        Knowledge.load(tmp_path / "nowhere")


def test_the_questions_are_many_and_each_right_passage_is_known(knowledge: Knowledge) -> None:
    questions = read_questions()
    sections = {(known.framework, known.written.section) for known in knowledge.passages}
    assert sum(bool(asked.right) for asked in questions) >= 150
    assert sum(not asked.right for asked in questions) >= 40
    assert {framework for asked in questions for framework in asked.right} == set(knowledge.frameworks)
    assert [asked.ask for asked in questions if not asked.answers <= sections] == []
    assert max(Counter(asked.ask for asked in questions).values()) == 1
    assert all(
        bool(asked.right) == (asked.kind not in ("other-law", "other-topic", "near-miss")) for asked in questions
    )


def test_both_parts_of_the_questions_have_both_kinds() -> None:
    parts = Counter((asked.for_tuning, bool(asked.right)) for asked in read_questions())
    assert min(parts.values()) >= 20
    assert len(parts) == 4
