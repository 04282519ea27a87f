"""analyze: POST /api/v1/rag/query, what the rules say. Quoted passages with their citation, or no answer."""

from datetime import date
from typing import Literal

from pydantic import Field, model_validator

from .identifiers import AnyFrameworkId
from .wire import Confidence, Prose, Question, Token, Wire


class RetrievalRequest(Wire):
    question: Question
    frameworks: tuple[AnyFrameworkId, ...] | None = Field(
        default=None, min_length=1, max_length=32, description="All known ones unless named"
    )
    limit: int = Field(default=5, ge=1, le=20)


class Passage(Wire):
    """A passage of our knowledge base, in our words, with the official text it stands for."""

    text: Prose
    framework: AnyFrameworkId
    section: str = Field(min_length=1, max_length=80)
    citation: Prose
    authority: Prose
    published: date = Field(description="Date of the edition that is cited")
    score: Confidence


class RetrievalResponse(Wire):
    """The answer, best passage first; it abstains where evidence is too thin, and then quotes nothing."""

    abstained: bool
    passages: tuple[Passage, ...]
    knowledge_version: Token
    retrieval: Literal["hybrid", "lexical"] = Field(
        default="hybrid", description="lexical: words alone were compared, the embedding model is not installed"
    )

    @model_validator(mode="after")
    def _quotes_or_abstains(self) -> "RetrievalResponse":
        if self.abstained == bool(self.passages):
            raise ValueError("an answer either quotes passages or abstains")
        return self
