"""The guardrail on LiteLLM's real base class; skipped where LiteLLM is not installed (it is no dependency)."""

import json
import os
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from llama_mapper.contracts.orchestration import BatchItem, BatchResponse
from tests.fakes.findings import found
from tests.fakes.orchestration import Fakes, SayingPolicy

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it is fetched at import
litellm = pytest.importorskip("litellm", reason="LiteLLM is not installed")

from litellm.exceptions import GuardrailRaisedException  # noqa: E402
from litellm.types.guardrails import GuardrailEventHooks  # noqa: E402

from llama_mapper.client.litellm_guardrail import LlamaMapperGuardrail  # noqa: E402

TEXT, MASKED = "write to ada@example.org now", "write to [PII.Contact.Email] now"


class Judge:
    """Says *action* of every text with an @, and allow of the others."""

    def __init__(self, action: str) -> None:
        self._action = action
        self.asked: list[str] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        items = []
        for index, item in enumerate(json.loads(request.content)["items"]):
            self.asked.append(item["content"])
            action = self._action if "@" in item["content"] else "allow"
            answer = await Fakes(policy=SayingPolicy(action=action)).judge()
            finding = found(spans=({"start": 9, "end": 24},))
            items.append(
                BatchItem(index=index, status=200, response=answer.model_copy(update={"findings": (finding,)}))
            )
        return httpx.Response(200, content=BatchResponse(results=tuple(items)).model_dump_json())


def guardrail(judge: Judge, *modes: GuardrailEventHooks, **given: Any) -> LlamaMapperGuardrail:
    return LlamaMapperGuardrail(
        api_base="http://orchestrate",
        tenant="demo",
        transport=httpx.MockTransport(judge),
        guardrail_name="llama-mapper",
        event_hook=list(modes or GuardrailEventHooks),
        default_on=True,
        **given,
    )


def chat(text: str = TEXT) -> dict[str, Any]:
    parts = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": "data:"}}]
    return {
        "messages": [
            {"role": "system", "content": "mail the owner@example.org"},
            {"role": "user", "content": "hello"},
            {"role": "tool", "content": text},
            {"role": "user", "content": parts},
            {"role": "assistant", "content": None},
        ]
    }


async def before(judge: Judge, data: dict[str, Any], **given: Any) -> Any:
    return await guardrail(judge, **given).async_pre_call_hook(None, None, data, "completion")


async def test_what_users_and_tools_send_is_masked_and_the_application_s_own_words_stay() -> None:
    judge = Judge("redact")
    assert await before(judge, chat()) == chat(MASKED)
    assert judge.asked == ["hello", TEXT, TEXT]


@pytest.mark.parametrize(
    "data", [{"input": TEXT}, {"input": ["a", TEXT]}, {"prompt": TEXT}, {"input": [{"role": "user", "content": TEXT}]}]
)
async def test_other_calls_are_judged_too(data: dict[str, Any]) -> None:
    assert MASKED in json.dumps(await before(Judge("redact"), data))


@pytest.mark.parametrize("action", ["block", "human_review"])
async def test_a_refusal_is_litellms_own_and_quotes_nothing(action: str) -> None:
    with pytest.raises(GuardrailRaisedException, match=action) as refused:
        await before(Judge(action), chat())
    assert (refused.value.status_code, refused.value.blocked_content) == (400, True)
    assert "ada@" not in f"{refused.value!r} {vars(refused.value)}"


async def test_beside_the_call_nothing_can_be_masked() -> None:
    with pytest.raises(GuardrailRaisedException, match="redact"):
        await guardrail(Judge("redact")).async_moderation_hook(chat(), None, "completion")
    assert await guardrail(Judge("flag")).async_moderation_hook(chat(), None, "completion") == chat()


async def test_the_answer_is_judged_before_the_caller_has_it() -> None:
    message = litellm.Message(role="assistant", content=TEXT)
    response = litellm.ModelResponse(choices=[litellm.Choices(message=message)])
    answer = await guardrail(Judge("redact")).async_post_call_success_hook(chat(), None, response)
    assert answer.choices[0].message.content == MASKED


def chunk(text: str) -> Any:
    choice = litellm.utils.StreamingChoices(index=0, delta=litellm.utils.Delta(content=text))
    return litellm.ModelResponseStream(choices=[choice])


async def stream(*texts: str) -> AsyncIterator[Any]:
    for text in texts:
        yield chunk(text)


async def passed(one: LlamaMapperGuardrail, *texts: str) -> list[str]:
    held = one.async_post_call_streaming_iterator_hook(None, stream(*texts), chat())
    return [one.choices[0].delta.content async for one in held]


async def test_a_streamed_answer_is_held_back_until_all_of_it_is_judged() -> None:
    judge = Judge("block")
    assert await passed(guardrail(judge), "hel", "lo") == ["hel", "lo"]
    assert judge.asked == ["hello"]
    with pytest.raises(GuardrailRaisedException):
        await passed(guardrail(judge), "write to ada", "@example.org now")


async def test_a_hook_that_is_not_asked_for_does_nothing() -> None:
    judge = Judge("block")
    one = guardrail(judge, GuardrailEventHooks.post_call)
    assert await one.async_pre_call_hook(None, None, chat(), "completion") == chat()
    assert judge.asked == []


async def test_where_nobody_can_judge_it_is_not_said_to_be_the_content() -> None:
    def away(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    one = LlamaMapperGuardrail(
        api_base="http://x", timeout_seconds=0.05, transport=httpx.MockTransport(away), default_on=True
    )
    one.event_hook = GuardrailEventHooks.pre_call
    with pytest.raises(GuardrailRaisedException, match="unjudged") as refused:
        await one.async_pre_call_hook(None, None, chat(), "completion")
    assert refused.value.blocked_content is False
