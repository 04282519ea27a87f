"""analyze's list of what detectors can report is made of the mapper's vocabularies, and of nothing else."""

from pathlib import Path

from functions.analyze.compliance.detectors import FILE
from llama_mapper.cli.frameworks_detectors import text_of
from mapper_serving.vocabulary import read_all

VOCABULARIES = Path(__file__).parents[2] / "inference-services" / "mapper" / "vocabularies"


def test_what_detectors_can_report_is_as_the_vocabularies_say() -> None:
    assert FILE.read_text("utf-8") == text_of(read_all(VOCABULARIES)), "run `llama-mapper frameworks detectors`"
