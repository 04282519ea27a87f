"""What a step of the mapper found out about one label, before provenance is put around it."""

from llama_mapper.contracts.mapping import MappedLabel, Method, Usage
from llama_mapper.contracts.wire import Token, Wire


class Resolution(Wire):
    """No labels say that the model named by ``adapter`` was asked and gave none."""

    labels: tuple[MappedLabel, ...]
    method: Method
    negative: bool = False
    vocabulary: Token | None = None
    model: Token | None = None
    adapter: Token | None = None
    prompt: Token | None = None
    usage: Usage | None = None
