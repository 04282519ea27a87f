"""Read knowledge/*.yaml: passages in our own words, each with the place in the official text that it stands for."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from llama_mapper.contracts.identifiers import AnyFrameworkId, FrameworkId
from llama_mapper.contracts.wire import Prose, Token, Wire

from ..files import parsed

SECTIONS: Mapping[str, str] = {
    "gdpr": r"Art\. \d{1,2}(\(\d{1,2}\))?(\([a-z]\))?|Recital \d{1,3}",
    "hipaa": r"16[04]\.\d{3}(\([a-z]\)(\(\d\)(\([ivx]+\)(\([A-R]\))?)?)?)?",
    "soc2": r"(CC[1-9]|A1|C1|PI1|P[1-8])\.[1-9]",
    "iso27001": r"A\.[5-8]\.\d{1,2}|Clause ([4-9]|10)(\.\d){1,2}",
    "eu-ai-act": r"Art\. \d{1,3}(\(\d{1,2}\))?(\([a-z]\))?|Annex III\([1-8]\)",
    "nist-ai-rmf": r"(GOVERN|MAP|MEASURE|MANAGE) \d\.\d{1,2}|AI 600-1 2\.\d{1,2}|Section \d\.\d",
    "iso42001": r"A\.([2-9]|10)\.\d(\.\d)?|Clause ([4-9]|10)(\.\d){1,2}",
    "pci-dss": r"\d{1,2}\.\d{1,2}\.\d{1,2}(\.\d)?",
    "nist-csf": r"(GV|ID|PR|DE|RS|RC)\.[A-Z]{2}-\d{2}",
}
"""How each framework numbers its parts. A framework that is not here may number as it likes."""


class KnowledgeError(ValueError):
    """A knowledge file breaks the format; the message names file and place."""


class Written(Wire):
    """One passage: what a section says, in one to four sentences of ours."""

    section: str = Field(min_length=1, max_length=80)
    citation: Prose
    title: Annotated[str, StringConstraints(min_length=3, max_length=80)]
    text: Annotated[str, StringConstraints(min_length=30, max_length=480, pattern=r"[.]$")]


class Document(Wire):
    """One official text in one edition. Where only the year of publication is sure, the day is the year's first."""

    title: Prose
    edition: Prose
    jurisdiction: Prose
    authority: Prose
    published: date
    reference: Annotated[str, StringConstraints(pattern=r"^https://[!-~]+$", max_length=300)]
    passages: tuple[Written, ...] = Field(min_length=1)


class File(Wire):
    framework: AnyFrameworkId
    version: Token
    documents: tuple[Document, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Known:
    """A passage with the document it belongs to; its section is its id within its framework."""

    framework: FrameworkId
    document: Document
    written: Written

    @property
    def text(self) -> str:
        """What a search reads."""
        return f"{self.written.title}. {self.written.text}"

    @property
    def pieces(self) -> tuple[str, ...]:
        """The whole, then what it is made of: a question is often about one sentence of it."""
        return (self.text, self.written.title, *re.split(r"(?<=[.;:]) ", self.written.text))


class Knowledge:
    """All passages of a folder; *version* is the newest of the files' and a digest that changes with any of them."""

    def __init__(self, files: Iterable[File]) -> None:
        ordered = sorted(files, key=lambda file: file.framework)
        self.passages = tuple(
            Known(file.framework, document, written)
            for file in ordered
            for document in file.documents
            for written in document.passages
        )
        self.frameworks: tuple[str, ...] = tuple(file.framework for file in ordered)
        whole = hashlib.sha256("\n".join(file.model_dump_json() for file in ordered).encode())
        self.version = f"{max(file.version for file in ordered)}+{whole.hexdigest()[:8]}"
        # What vectors are made of: a corrected date or citation leaves them as they are.
        self.digest = hashlib.sha256(
            "\n".join(piece for known in self.passages for piece in known.pieces).encode()
        ).hexdigest()

    @classmethod
    def load(cls, folder: Path) -> "Knowledge":
        """Read every ``*.yaml`` of *folder*.

        Raises:
            KnowledgeError: the first file that breaks the format, or a folder without any.
        """
        paths = sorted(folder.glob("*.yaml"))
        if not paths:
            raise KnowledgeError(f"{folder}: no knowledge here")
        return cls(read(path) for path in paths)


def read(path: Path) -> File:
    """Read one file.

    Raises:
        KnowledgeError: unreadable, not YAML, a field missing or wrong, another file's name, a section twice or not
            numbered as its framework numbers, a citation that does not name the section.
    """
    file = parsed(path, File, KnowledgeError)
    if faults := list(_faults(file, path)):
        raise KnowledgeError("\n".join(f"{path.name}: {fault}" for fault in faults))
    return file


def _faults(file: File, path: Path) -> Iterator[str]:
    if file.framework != path.stem:
        yield f"calls itself {file.framework}"
    written = [passage for document in file.documents for passage in document.passages]
    times = Counter(passage.section for passage in written)
    yield from (f"{section} comes twice" for section, count in times.items() if count > 1)
    pattern = re.compile(SECTIONS.get(file.framework, ".+"))
    for passage in written:
        if not pattern.fullmatch(passage.section):
            yield f"{passage.section} is no section of {file.framework}"
        number = re.split(r"^A\.|.* ", passage.section)[-1]
        if not passage.citation.endswith(number):
            yield f"{passage.section}: the citation names another section"
