"""What a step of the mapper found out about one label, before provenance is put around it."""

from pydantic import Field

from llama_mapper.contracts.mapping import MappedLabel, Method, Usage
from llama_mapper.contracts.prompt import MAX_CANDIDATES
from llama_mapper.contracts.reviews import Candidate
from llama_mapper.contracts.wire import Token, Wire


class Resolution(Wire):
    """No labels say that the model named by ``adapter`` was asked and gave none.

    ``candidates`` are what the answer was chosen from, best first, for the person who looks where it is not sure.
    """

    labels: tuple[MappedLabel, ...]
    method: Method
    negative: bool = False
    vocabulary: Token | None = None
    model: Token | None = None
    adapter: Token | None = None
    prompt: Token | None = None
    usage: Usage | None = None
    candidates: tuple[Candidate, ...] = Field(default=(), max_length=MAX_CANDIDATES)
