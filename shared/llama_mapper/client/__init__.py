"""Ask orchestrate from Python: ``LlamaMapper``, or ``AsyncLlamaMapper`` with the same calls to be awaited.

with LlamaMapper("https://llama-mapper.example.com", api_key="lmk_…") as mapper:
    print(mapper.orchestrate("write to ada@example.org").decision.action)
"""

from .asynchronous import AsyncLlamaMapper
from .calls import Item, Options
from .errors import LlamaMapperError, NoAnswer, ProblemError, UnknownAnswer
from .synchronous import LlamaMapper
from .webhooks import WrongSignature, verify_webhook

__all__ = [
    "AsyncLlamaMapper",
    "Item",
    "LlamaMapper",
    "LlamaMapperError",
    "NoAnswer",
    "Options",
    "ProblemError",
    "UnknownAnswer",
    "WrongSignature",
    "verify_webhook",
]
