"""A guardrail for the LiteLLM proxy: docs/integrations.md says how it is configured.

Imported by LiteLLM alone, which is no dependency of ours.
"""

import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
from litellm.exceptions import GuardrailRaisedException
from litellm.integrations.custom_guardrail import CustomGuardrail
from litellm.types.guardrails import GuardrailEventHooks

from .asynchronous import AsyncLlamaMapper
from .text_guard import Otherwise, Refused, TextGuard

TRUSTED_ROLES = frozenset({"system", "developer"})
"""Written by who runs the application; not judged."""
Place = tuple[Any, Any]
"""A list or dict, and where in it a text stands."""


class LlamaMapperGuardrail(CustomGuardrail):  # type: ignore[misc]
    """Judges what users and tools send (``pre_call``, ``during_call``) and what the model answers (``post_call``).

    Args:
        api_base, api_key, tenant: as for ``AsyncLlamaMapper``; else ``LLAMA_MAPPER_URL``, ``…_API_KEY``, ``…_TENANT``.
        on_review, unreachable: as for ``TextGuard``.
    """

    def __init__(
        self,
        api_base: str | None = None,
        api_key: str | None = None,
        tenant: str | None = None,
        on_review: Otherwise = "block",
        unreachable: Otherwise = "block",
        timeout_seconds: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
        **litellm: Any,
    ) -> None:
        mapper = AsyncLlamaMapper(
            api_base or os.environ["LLAMA_MAPPER_URL"],
            api_key=api_key or os.environ.get("LLAMA_MAPPER_API_KEY"),
            tenant=tenant or os.environ.get("LLAMA_MAPPER_TENANT"),
            timeout_seconds=timeout_seconds,
            transport=transport,
        )
        self.guard = TextGuard(mapper, on_review, unreachable)
        super().__init__(**litellm)

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> Any:
        """Before the model is asked; personal values are masked where the decision is ``redact``."""
        if self.should_run_guardrail(data=data, event_type=GuardrailEventHooks.pre_call):
            await self._settle(list(_asked(data)))
        return data

    async def async_moderation_hook(self, data: dict[str, Any], user_api_key_dict: Any, call_type: str) -> Any:
        """Beside the model's call, where nothing can be masked any more: ``redact`` refuses."""
        if self.should_run_guardrail(data=data, event_type=GuardrailEventHooks.during_call):
            await self._settle(list(_asked(data)), change=False)
        return data

    async def async_post_call_success_hook(self, data: dict[str, Any], user_api_key_dict: Any, response: Any) -> Any:
        """The model's answer, before the caller has it."""
        if self.should_run_guardrail(data=data, event_type=GuardrailEventHooks.post_call):
            await self._settle(list(_answered(response)))
        return response

    async def async_post_call_streaming_iterator_hook(
        self, user_api_key_dict: Any, response: Any, request_data: dict[str, Any]
    ) -> AsyncIterator[Any]:
        """A streamed answer is held back until all of it was judged; one to be masked is refused."""
        if not self.should_run_guardrail(data=request_data, event_type=GuardrailEventHooks.post_call):
            async for chunk in response:
                yield chunk
            return
        chunks = [chunk async for chunk in response]
        whole: dict[int, str] = {}
        for choice in (choice for chunk in chunks for choice in getattr(chunk, "choices", ())):
            whole[choice.index] = whole.get(choice.index, "") + (getattr(choice.delta, "content", None) or "")
        await self._settle([(whole, index) for index in whole], change=False)
        for chunk in chunks:
            yield chunk

    async def _settle(self, places: list[Place], *, change: bool = True) -> None:
        """Put each text back as it may go on.

        Raises:
            GuardrailRaisedException: one may not; LiteLLM answers 400.
        """
        try:
            texts = await self.guard.check([_get(place) for place in places], change=change)
        except Refused as refused:
            refusal = GuardrailRaisedException(
                guardrail_name=self.guardrail_name, message=str(refused), blocked_content=refused.judged
            )
        else:
            for place, text in zip(places, texts, strict=True):
                _put(place, text)
            return
        raise refusal


def _get(place: Place) -> str:
    holder, key = place
    return str(holder[key] if isinstance(holder, dict | list) else getattr(holder, key))


def _put(place: Place, text: str) -> None:
    holder, key = place
    if _get(place) == text:
        return
    if isinstance(holder, dict | list):
        holder[key] = text
    else:
        setattr(holder, key, text)


def _asked(data: dict[str, Any]) -> Iterator[Place]:
    """Every text of a request: chat messages, and the ``prompt`` or ``input`` of other calls."""
    for message in data.get("messages") or ():
        if message.get("role") not in TRUSTED_ROLES:
            yield from _content(message)
    for name in ("prompt", "input"):
        value = data.get(name)
        if isinstance(value, str):
            yield data, name
        for place, part in enumerate(value if isinstance(value, list) else ()):
            if isinstance(part, str):
                yield value, place
            elif isinstance(part, dict) and part.get("role") not in TRUSTED_ROLES:
                yield from _content(part)


def _content(message: dict[str, Any]) -> Iterator[Place]:
    content = message.get("content")
    if isinstance(content, str):
        yield message, "content"
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            yield part, "text"


def _answered(response: Any) -> Iterator[Place]:
    """Every choice's text, of a chat or a text completion."""
    for choice in getattr(response, "choices", None) or ():
        message = getattr(choice, "message", None)
        if isinstance(getattr(message, "content", None), str):
            yield message, "content"
        if isinstance(getattr(choice, "text", None), str):
            yield choice, "text"
