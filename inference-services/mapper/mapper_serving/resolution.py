"""What a step of the mapper found out about one label, before provenance is put around it."""

from llama_mapper.contracts.mapping import MappedLabel, Method
from llama_mapper.contracts.wire import Token, Wire


class Resolution(Wire):
    labels: tuple[MappedLabel, ...]
    method: Method
    negative: bool = False
    vocabulary: Token | None = None
    model: Token | None = None
    adapter: Token | None = None
    prompt: Token | None = None
