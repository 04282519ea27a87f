"""The door to the knowledge: POST /api/v1/rag/query. A question is answered and forgotten: not logged, not kept."""

from pathlib import Path
from threading import Lock

from fastapi import FastAPI

from llama_mapper.contracts.retrieval import RetrievalRequest, RetrievalResponse

from .retrieval import Guidance


class Lazily:
    """Guidance that is read and indexed at the first question: risk and controls do without."""

    def __init__(self, knowledge: Path) -> None:
        self._knowledge = knowledge
        self._guidance: Guidance | None = None
        self._lock = Lock()

    def get(self) -> Guidance:
        with self._lock:  # two first questions at once build one
            if self._guidance is None:
                self._guidance = Guidance.load(self._knowledge)
            return self._guidance


def add_guidance(app: FastAPI, knowledge: Path) -> None:
    """Answer questions from the folder *knowledge*."""
    guidance = Lazily(knowledge)

    @app.post("/api/v1/rag/query", tags=["guidance"])
    def ask(request: RetrievalRequest) -> RetrievalResponse:  # in a thread: the first question takes a second
        """What the rules say: quoted passages with their citation, or no answer where evidence is thin.

        Passages are in our own words; the citation says where the official text is. This is no legal advice.
        """
        return guidance.get().answer(request)
