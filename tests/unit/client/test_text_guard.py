"""What becomes of a text by the decision about it."""

from typing import Any

import httpx
import pytest

from llama_mapper.client import AsyncLlamaMapper
from llama_mapper.client.text_guard import Refused, TextGuard, masked
from llama_mapper.contracts.orchestration import BatchItem, BatchResponse, OrchestrateResponse
from llama_mapper.contracts.problems import ContentTooLarge, Problem, Unavailable
from tests.fakes.findings import found
from tests.fakes.orchestration import Fakes, SayingPolicy

TEXT = "write to ada@example.org now"
SPAN = {"start": 9, "end": 24}


async def judged(action: str) -> OrchestrateResponse:
    answer = await Fakes(policy=SayingPolicy(action=action)).judge()
    return answer.model_copy(update={"findings": (found(spans=(SPAN,)),)})


def guard(*items: OrchestrateResponse | Problem, status: int = 200, **given: Any) -> TextGuard:
    def answer(_: httpx.Request) -> httpx.Response:
        results = tuple(
            BatchItem(index=i, status=one.status, problem=one.document("correlation-1"))
            if isinstance(one, Problem)
            else BatchItem(index=i, status=200, response=one)
            for i, one in enumerate(items)
        )
        return httpx.Response(status, content=BatchResponse(results=results).model_dump_json())

    mapper = AsyncLlamaMapper("http://orchestrate", attempts=1, transport=httpx.MockTransport(answer))
    return TextGuard(mapper, **given)


@pytest.mark.parametrize(
    ("action", "given", "becomes"),
    [
        ("allow", {}, TEXT),
        ("flag", {}, TEXT),
        ("redact", {}, "write to [PII.Contact.Email] now"),
        ("human_review", {"on_review": "allow"}, TEXT),
    ],
)
async def test_a_text_goes_on_as_the_decision_says(action: str, given: dict[str, Any], becomes: str) -> None:
    assert await guard(await judged(action), **given).check([TEXT]) == [becomes]


@pytest.mark.parametrize(("action", "change"), [("block", True), ("human_review", True), ("redact", False)])
async def test_a_text_that_may_not_go_on_is_refused_without_being_quoted(action: str, change: bool) -> None:
    with pytest.raises(Refused) as refused:
        await guard(await judged(action)).check([TEXT], change=change)
    assert (refused.value.action, refused.value.judged) == (action, True)
    assert "ada@" not in f"{refused.value!r} {vars(refused.value)}"


async def test_one_bad_text_is_enough() -> None:
    with pytest.raises(Refused):
        await guard(await judged("allow"), await judged("block")).check(["a", "b"])


async def test_empty_texts_are_not_asked_about_and_keep_their_place() -> None:
    assert await guard(await judged("redact")).check(["", TEXT, ""]) == ["", "write to [PII.Contact.Email] now", ""]
    assert await guard(status=500).check(["", ""]) == ["", ""]


@pytest.mark.parametrize(
    ("answering", "otherwise", "passes"),
    [
        ({"status": 503}, "block", False),
        ({"status": 503}, "allow", True),
        ({"status": 401}, "allow", False),
        ({"items": (Unavailable("x"),)}, "block", False),
        ({"items": (Unavailable("x"),)}, "allow", True),
        ({"items": (ContentTooLarge("x"),)}, "allow", False),
        ({"items": ()}, "allow", False),
    ],
)
async def test_what_nobody_judged_passes_only_where_the_service_is_away_and_that_is_wanted(
    answering: dict[str, Any], otherwise: Any, passes: bool
) -> None:
    one = guard(*answering.get("items", ()), status=answering.get("status", 200), unreachable=otherwise)
    if passes:
        assert await one.check([TEXT]) == [TEXT]
        return
    with pytest.raises(Refused) as refused:
        await one.check([TEXT])
    assert not refused.value.judged


@pytest.mark.parametrize(
    ("findings", "becomes"),
    [
        ([("PII.Contact.Email", [(2, 4)])], "ab[PII.Contact.Email]efgh"),
        ([("PII.Person", [(0, 2)]), ("SECRET", [(6, 8)])], "[PII.Person]cdef[SECRET]"),
        ([("PII.Person", [(1, 3)]), ("SECRET", [(2, 5)])], "a[PII.Person]fgh"),
        ([("PII.Person", [(1, 7)]), ("SECRET", [(2, 5)])], "a[PII.Person]h"),
        ([("PII.Person", [(1, 3)]), ("SECRET", [(1, 5)])], "a[SECRET]fgh"),
        ([("PII.Person", [(1, 3), (3, 5)])], "a[PII.Person][PII.Person]fgh"),
        ([("PII.Person", [(1, 3)]), ("HARM.Hate", [])], "a[PII.Person]defgh"),
        ([("PII.Person", [(1, 3)]), ("SECRET", [])], None),
        ([("HARM.Hate", [(1, 3)])], None),
        ([("PII.Person", [(i, i + 1) for i in range(1000)])], None),
        ([], None),
    ],
)
def test_every_span_is_masked_or_none(findings: list[tuple[str, list[tuple[int, int]]]], becomes: str | None) -> None:
    said = [found(label, spans=tuple({"start": a, "end": b} for a, b in spans)) for label, spans in findings]
    assert masked("abcdefgh", said) == becomes


def test_spans_count_characters_beyond_the_first_plane_once() -> None:
    assert masked("😀 ada", [found("PII.Person", spans=({"start": 2, "end": 5},))]) == "😀 [PII.Person]"
