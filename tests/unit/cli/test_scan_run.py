import asyncio
import itertools
from collections.abc import Callable, Iterator

import httpx
import pytest
import stamina

from llama_mapper.cli.scan_input import Item, Unreadable
from llama_mapper.cli.scan_run import Judge, Result, Verdict, cut, judge_all, merge
from llama_mapper.cli.services import NothingAnswers
from llama_mapper.client import AsyncLlamaMapper
from llama_mapper.contracts.orchestration import OrchestrateResponse
from llama_mapper.contracts.problems import InvalidRequest

MakeAnswer = Callable[..., OrchestrateResponse]


def item(text: str = "a", line: int = 1) -> Item:
    return Item(line, text, len(text))


@pytest.mark.parametrize(
    ("length", "sizes"),
    [(0, [0]), (10, [10]), (11, [10, 3]), (18, [10, 10]), (19, [10, 10, 3]), (26, [10, 10, 10])],
)
def test_long_texts_are_cut_into_parts_that_overlap(length: int, sizes: list[int]) -> None:
    text = "".join(chr(ord("a") + index % 26) for index in range(length))
    parts = cut(text, limit=10, overlap=2)
    assert [len(part) for part in parts] == sizes
    assert all(left[-2:] == right[:2] for left, right in itertools.pairwise(parts))
    assert parts[0] + "".join(part[2:] for part in parts[1:]) == text


def test_the_strictest_action_and_the_highest_risk_hold_for_all_parts(make_answer: MakeAnswer) -> None:
    verdict = merge(item(), [make_answer("flag", risk=70.0), make_answer("block", risk=20.0, coverage=0.5)])
    assert (verdict.action, verdict.risk_score, verdict.coverage, verdict.parts) == ("block", 70.0, 0.5, 2)


def test_a_label_found_twice_keeps_its_highest_confidence(make_answer: MakeAnswer) -> None:
    first = make_answer("flag", ("PII.Contact.Email", 0.6, 2))
    second = make_answer("flag", ("PII.Contact.Email", 0.9, 2), ("SECRET", 0.5, 4))
    found = merge(item(), [first, second]).labels
    assert [(one.label, one.confidence) for one in found] == [("SECRET", 0.5), ("PII.Contact.Email", 0.9)]


def test_risk_is_open_where_no_part_was_analyzed(make_answer: MakeAnswer) -> None:
    assert merge(item(), [make_answer(risk=None)]).risk_score is None


def test_the_text_stays_out_unless_an_excerpt_is_asked_for(make_answer: MakeAnswer) -> None:
    assert merge(item("my secret"), [make_answer()]).excerpt == ""
    assert merge(item("my secret"), [make_answer()], 4).excerpt == "my s"


@pytest.fixture(autouse=True)
def no_pauses() -> Iterator[None]:
    with stamina.set_testing(True, attempts=5, cap=True):
        yield


class Door:
    """Stands in for orchestrate: gives *answers* one after the other, the last one for ever."""

    def __init__(self, *answers: httpx.Response) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    async def judge(self, one: Item) -> Result:
        async with AsyncLlamaMapper("http://orchestrate", transport=httpx.MockTransport(self.answer)) as mapper:
            return await Judge(mapper).judge(one)


def good(answer: OrchestrateResponse) -> httpx.Response:
    return httpx.Response(200, content=answer.model_dump_json())


def problem() -> httpx.Response:
    document = InvalidRequest("check: content").document("correlation-1")
    headers = {"content-type": "application/problem+json"}
    return httpx.Response(400, content=document.model_dump_json(), headers=headers)


async def test_a_text_is_judged(make_answer: MakeAnswer) -> None:
    verdict = await Door(good(make_answer("block", ("SECRET", 0.9, 4)))).judge(item())
    assert isinstance(verdict, Verdict)
    assert (verdict.action, verdict.labels[0].label) == ("block", "SECRET")


async def test_a_text_too_long_for_one_request_is_asked_in_parts(make_answer: MakeAnswer) -> None:
    door = Door(good(make_answer()))
    verdict = await door.judge(item("a" * 60_000))
    assert isinstance(verdict, Verdict)
    assert verdict.parts == len(door.requests) == 2


async def test_a_full_service_is_asked_again(make_answer: MakeAnswer) -> None:
    door = Door(httpx.Response(429, headers={"Retry-After": "7"}), good(make_answer()))
    assert isinstance(await door.judge(item()), Verdict)
    assert len(door.requests) == 2


async def test_a_service_that_stays_away_is_given_up() -> None:
    door = Door(httpx.Response(503))
    result = await door.judge(item())
    assert isinstance(result, Unreadable)
    assert result.why == "http://orchestrate answered 503"
    assert len(door.requests) == 5


async def test_a_refused_text_is_not_asked_again() -> None:
    door = Door(problem())
    assert await door.judge(item("a", 3)) == Unreadable(3, "http://orchestrate answered 400: check: content", 1)
    assert len(door.requests) == 1


async def test_an_unknown_shape_is_the_texts_own_trouble() -> None:
    assert await Door(httpx.Response(200, json={})).judge(item()) == Unreadable(
        1, "http://orchestrate answered 200 in a shape we do not know", 1
    )


async def test_nobody_there_ends_the_scan() -> None:
    def refused(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    async with AsyncLlamaMapper("http://orchestrate", transport=httpx.MockTransport(refused)) as mapper:
        with pytest.raises(NothingAnswers, match="nothing answers on http://orchestrate; start it with"):
            await Judge(mapper).judge(item())


async def test_results_keep_the_order_of_the_lines() -> None:
    turns = {line: asyncio.Event() for line in (1, 2, 3)}
    turns[3].set()

    async def judge(one: Item) -> Result:
        await turns[one.line].wait()
        turns.get(one.line - 1, asyncio.Event()).set()  # later lines are done first
        return Unreadable(one.line, "done")

    results = judge_all(iter([item(line=1), item(line=2), item(line=3)]), judge, jobs=3)
    assert [result.line if isinstance(result, Unreadable) else 0 async for result in results] == [1, 2, 3]


async def test_no_more_texts_are_in_work_than_jobs() -> None:
    working = most = 0

    async def judge(one: Item) -> Result:
        nonlocal working, most
        working += 1
        most = max(most, working)
        await asyncio.sleep(0)
        working -= 1
        return Unreadable(one.line, "done")

    results = judge_all(iter([item(line=line) for line in range(1, 20)]), judge, jobs=3)
    assert len([result async for result in results]) == 19
    assert most <= 3


async def test_what_could_not_be_read_is_passed_on() -> None:
    async def judge(one: Item) -> Result:
        raise AssertionError("nothing to judge")

    bad = Unreadable(1, "not UTF-8")
    assert [result async for result in judge_all(iter([bad]), judge, jobs=2)] == [bad]
