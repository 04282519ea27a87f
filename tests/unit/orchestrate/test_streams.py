import asyncio
import base64
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from functions.orchestrate.streams.judging import Asker, StreamLimits, opened
from functions.orchestrate.streams.windows import Sizes
from llama_mapper.contracts.identifiers import DetectorId
from llama_mapper.contracts.problems import InsufficientRbac, RequestTimeout, Unavailable
from llama_mapper.contracts.streams import (
    StreamChunk,
    StreamFinal,
    StreamLine,
    StreamProblem,
    StreamRequest,
    StreamVerdict,
)
from tests.fakes.orchestration import CORRELATION, DEMO, Fakes
from tests.fakes.words import MarkedWords, PillarPolicy

LIMITS = StreamLimits(Sizes(least=30, most=60, overlap=20), max_characters=2_000)
SECRET = "KEY-canary-0001"
TEXT = (
    "Dear Ada, thank you for your letter of May. We have read it with care and will come back to it. "
    "The colleague in charge is MAIL-bob@x. He is there until Friday, and then away for two weeks or so. "
    "With kind regards from all of us here in the little house by the sea, and do write again soon please."
)


def fakes(**detect: Any) -> Fakes:
    return Fakes(detect=MarkedWords(**detect))


def blocking() -> Fakes:
    return Fakes(detect=MarkedWords(), policy=PillarPolicy({"SECRET": "block"}))


async def chunks(pieces: Iterable[str], end: bool = True) -> AsyncIterator[StreamChunk]:
    for piece in pieces:
        yield StreamChunk(chunk=piece)
    if end:
        yield StreamChunk(end=True)


async def streamed(fakes: Fakes, pieces: Iterable[str], end: bool = True, **options: Any) -> list[StreamLine]:
    asker = Asker(DEMO, CORRELATION, authenticated=False)
    stream = await opened(fakes.orchestrator, StreamRequest.model_validate(options), asker, LIMITS)
    return [line async for line in stream.lines(chunks(pieces, end))]


def verdicts(lines: list[StreamLine]) -> list[StreamVerdict]:
    return [line for line in lines if isinstance(line, StreamVerdict)]


def final(lines: list[StreamLine]) -> StreamFinal:
    assert isinstance(lines[-1], StreamFinal)
    return lines[-1]


async def test_verdicts_come_as_the_text_comes_and_the_last_line_sums_up() -> None:
    given = fakes()
    lines = await streamed(given, list(TEXT))
    assert len(verdicts(lines)) == final(lines).windows > 3
    assert [line.window for line in verdicts(lines)] == list(range(1, len(lines)))
    assert (final(lines).ended_by, final(lines).characters, final(lines).hold_back) == ("end", len(TEXT), len(TEXT))
    assert final(lines).coverage.score == 1.0


async def test_one_event_is_sent_with_each_finding_once_and_no_content() -> None:
    given = fakes()
    lines = await streamed(given, list(TEXT))
    (event,) = given.emit.events
    place = TEXT.index("MAIL-bob@x")
    assert [(f.label, [(s.start, s.end) for s in f.spans]) for f in event.findings] == [
        ("PII.Contact.Email", [(place, place + 10)])
    ]
    assert event.findings == final(lines).findings
    assert event.request_id == final(lines).request_id
    assert len(event.mappings) == 1
    assert [run.detector for run in event.detectors] == ["words"]
    assert "bob@x" not in event.model_dump_json()


async def test_wherever_it_is_cut_the_same_is_found() -> None:
    found = set()
    for place in range(1, len(TEXT), 5):
        lines = await streamed(fakes(), [TEXT[:place], TEXT[place:]])
        found.add(tuple((f.label, f.spans) for f in final(lines).findings))
    assert len(found) == 1


async def test_a_verdict_counts_in_the_whole_stream() -> None:
    lines = await streamed(fakes(), list(TEXT))
    spans = {(s.start, s.end) for line in verdicts(lines) for f in line.findings for s in f.spans}
    assert (TEXT.index("MAIL"), TEXT.index("MAIL") + 10) in spans


async def test_what_may_be_shown_only_grows_and_never_ends_inside_a_finding() -> None:
    for size in (1, 3, 7, 50, 400):
        pieces = [TEXT[i : i + size] for i in range(0, len(TEXT), size)]
        shown = [line.hold_back for line in verdicts(await streamed(fakes(), pieces))]
        start = TEXT.index("MAIL")
        assert shown == sorted(shown)
        assert not any(start < place < start + 10 for place in shown)
        assert shown[-1] == len(TEXT)


async def test_a_block_ends_the_stream_before_its_end_and_shows_nothing_of_the_secret() -> None:
    given = blocking()
    text = TEXT + SECRET + " and so on. " + TEXT
    lines = await streamed(given, list(text))
    assert (final(lines).ended_by, final(lines).decision.action) == ("block", "block")
    assert final(lines).hold_back <= text.index(SECRET)
    assert final(lines).characters < len(text)
    assert len(given.emit.events) == 1


async def test_without_fail_fast_a_block_stays_and_nothing_more_is_shown() -> None:
    given = blocking()
    text = TEXT + SECRET + " and so on. " + TEXT
    lines = await streamed(given, list(text), fail_fast=False)
    assert final(lines).ended_by == "end"
    assert final(lines).characters == len(text)
    assert final(lines).decision.action == verdicts(lines)[-1].decision.action == "block"
    assert final(lines).hold_back <= text.index(SECRET)


async def test_redacted_pieces_put_together_are_the_text_without_what_was_found() -> None:
    for size in (1, 5, 64, 999):
        pieces = [TEXT[i : i + size] for i in range(0, len(TEXT), size)]
        lines = verdicts(await streamed(fakes(), pieces, redaction="mask"))
        shown = "".join(line.redaction.content for line in lines if line.redaction)
        assert shown == TEXT.replace("MAIL-bob@x", "*" * 10)
        assert all(line.redaction.complete for line in lines if line.redaction)


async def test_a_redaction_that_the_policy_refuses_later_is_the_last_line() -> None:
    given = fakes()
    given.policy.unasked, given.policy.obligations = InsufficientRbac("not you"), ("mask_spans",)
    lines = await streamed(given, [TEXT])
    assert isinstance(lines[-1], StreamProblem)
    assert lines[-1].problem.error_code == "INSUFFICIENT_RBAC"


async def test_a_detector_that_misses_one_window_is_missing_in_the_whole() -> None:
    given = fakes(lost_in=frozenset({2}), offered={"words": "pii", "numbers": "pii"}, lost="numbers")
    lines = await streamed(given, list(TEXT), detector_types=["words", "numbers"], redaction="mask")
    assert final(lines).coverage.missing == ("numbers",)
    assert final(lines).degraded == ("detector.numbers.timeout",)
    assert [(run.detector, run.status) for run in given.emit.events[0].detectors] == [
        ("words", "ok"),
        ("numbers", "timeout"),
    ]
    told = [line.redaction.complete for line in verdicts(lines) if line.redaction]
    assert told[0] is True
    assert told[-1] is False


@pytest.mark.parametrize(
    ("pieces", "end", "code", "told"),
    [
        ([TEXT], False, "INVALID_REQUEST", 1),
        ([], True, "INVALID_REQUEST", 0),
        ([TEXT] * 8, True, "CONTENT_TOO_LARGE", 1),
    ],
    ids=["no end", "nothing", "too long"],
)
async def test_what_goes_wrong_is_the_last_line_and_what_was_judged_is_recorded(
    pieces: list[str], end: bool, code: str, told: int
) -> None:
    given = fakes()
    lines = await streamed(given, pieces, end)
    assert isinstance(lines[-1], StreamProblem)
    assert lines[-1].problem.error_code == code
    assert lines[-1].problem.correlation_id == CORRELATION
    assert len(given.emit.events) == told


async def test_an_answer_that_cannot_be_proven_is_not_given() -> None:
    given = fakes()
    given.emit.answer = Unavailable("no broker")
    lines = await streamed(given, [TEXT])
    assert isinstance(lines[-1], StreamProblem)
    assert lines[-1].problem.error_code == "UNAVAILABLE"
    assert len(given.emit.events) == 1


async def test_a_window_that_nobody_judges_ends_the_stream_and_clears_nothing() -> None:
    given = fakes()
    given.detect.answer = RequestTimeout("late")
    lines = await streamed(given, [TEXT])
    assert isinstance(lines[-1], StreamProblem)
    assert (lines[-1].problem.error_code, lines[-1].hold_back) == ("ALL_DETECTORS_UNAVAILABLE", 0)


async def test_the_tenants_own_bound_holds_for_the_whole_stream() -> None:
    given = fakes()
    await streamed(given, [TEXT, TEXT])
    assert [characters for _, characters in given.policy.admitted] == [0, len(TEXT), 2 * len(TEXT)]


async def test_a_caller_who_goes_away_ends_the_work_and_what_was_judged_is_recorded() -> None:
    given = fakes()
    asker = Asker(DEMO, CORRELATION, authenticated=False)
    stream = await opened(given.orchestrator, StreamRequest(), asker, LIMITS)
    waiting = asyncio.Event()

    async def endless() -> AsyncIterator[StreamChunk]:
        yield StreamChunk(chunk=TEXT)
        waiting.set()
        await asyncio.Event().wait()

    async def listen() -> None:
        async for _ in stream.lines(endless()):
            pass

    listening = asyncio.create_task(listen())
    await waiting.wait()
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
    assert [f.label for f in given.emit.events[0].findings] == ["PII.Contact.Email"]


async def test_an_unknown_detector_is_refused_before_the_stream_begins() -> None:
    with pytest.raises(Exception, match="detector_types"):
        await streamed(fakes(), [TEXT], detector_types=["nobody"])


def test_options_are_those_of_a_request() -> None:
    request = StreamRequest(priority="high", redaction="mask", excluded_detectors=(DetectorId("words"),))
    asked = request.about("some content")
    assert (asked.content, asked.priority, asked.redaction, asked.excluded_detectors) == (
        "some content",
        "high",
        "mask",
        ("words",),
    )


HIDDEN = base64.b64encode(b"please write to MAIL-bob@x and to nobody else in this house").decode()
BROKEN = "MA\u200bIL-bo\u200bb@x"


@pytest.mark.parametrize("disguised", [HIDDEN, BROKEN])
@pytest.mark.parametrize("size", [1, 7, 50, 1000])
async def test_what_is_disguised_is_found_at_its_place_in_the_stream(disguised: str, size: int) -> None:
    text = f"{TEXT[:150]} {disguised} {TEXT[150:]}".replace("MAIL-bob@x.", "him.")
    start = text.index(disguised)
    lines = await streamed(fakes(), [text[i : i + size] for i in range(0, len(text), size)])
    assert [(f.label, [(s.start, s.end) for s in f.spans]) for f in final(lines).findings] == [
        ("PII.Contact.Email", [(start, start + len(disguised))])
    ]
    shown = [line.hold_back for line in verdicts(lines)]
    assert not any(start < place < start + len(disguised) for place in shown)


@pytest.mark.parametrize("front", ["", "data=", "x "])
@pytest.mark.parametrize("lead", [2400, 2401, 2403, 3002])
async def test_what_is_encoded_in_a_longer_run_than_a_window_holds_is_found(front: str, lead: int) -> None:
    limits = StreamLimits(LIMITS.sizes, max_characters=10_000)
    said = ("a " * 2000)[:lead] + " MAIL-bob@x " + "and so on " * 20
    text = front + base64.b64encode(said.encode()).decode()
    stream = await opened(fakes().orchestrator, StreamRequest(), Asker(DEMO, CORRELATION, authenticated=False), limits)
    lines = [line async for line in stream.lines(chunks(text[i : i + 40] for i in range(0, len(text), 40)))]
    assert [f.label for f in final(lines).findings] == ["PII.Contact.Email"]
