import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from functions.detect.registry import MAX_OVERRUNNING, Registry
from functions.detect.service import detect, judge
from llama_mapper.contracts.detection import Detection, DetectorReport, DetectRequest, Span
from llama_mapper.contracts.problems import Unprocessable
from tests.fakes.detectors import BlockingDetector, FailingDetector, SayingDetector, WordDetector

pytestmark = pytest.mark.asyncio


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


async def ask(
    registry: Registry, executor: ThreadPoolExecutor, *names: str, content: str = "some cat", seconds: float = 30.0
) -> list[DetectorReport]:
    request = DetectRequest.model_validate({"content": content, "detectors": names, "timeout_seconds": seconds})
    return list((await detect(request, registry, executor)).reports)


async def test_reports_come_in_the_order_asked_for(executor: ThreadPoolExecutor) -> None:
    registry = Registry([WordDetector("cats", "cat"), WordDetector("dogs", "dog")])
    reports = await ask(registry, executor, "dogs", "cats")
    assert [(r.detector, r.status, len(r.detections)) for r in reports] == [("dogs", "ok", 0), ("cats", "ok", 1)]


async def test_a_detector_named_twice_runs_once(executor: ThreadPoolExecutor) -> None:
    assert len(await ask(Registry([WordDetector("cats", "cat")]), executor, "cats", "cats")) == 1


async def test_a_report_says_which_version_and_family_spoke_and_over_how_many_windows(
    executor: ThreadPoolExecutor,
) -> None:
    (report,) = await ask(
        Registry([WordDetector("cats", "cat", window_characters=100)]), executor, "cats", content="a cat " * 40
    )
    assert (report.version, report.family, report.windows) == ("1.0", "pii", 3)
    assert [d.span.start for d in report.detections if d.span] == [2 + 6 * n for n in range(40)]


async def test_an_unknown_detector_is_refused_by_field_and_not_by_value(executor: ThreadPoolExecutor) -> None:
    with pytest.raises(Unprocessable) as refused:
        await ask(Registry([WordDetector("cats", "cat")]), executor, "cats", "horses")
    assert [e.field for e in refused.value.errors] == ["detectors[1]"]
    assert "horses" not in refused.value.document("correlation").model_dump_json()


@pytest.mark.parametrize(
    ("broken", "status"),
    [
        (FailingDetector("broken"), "failed"),
        (FailingDetector("broken", at_load=True), "failed"),
        (FailingDetector("broken", ModuleNotFoundError, at_load=True), "unavailable"),
        (FailingDetector("broken", FileNotFoundError, at_load=True), "unavailable"),
        (SayingDetector("broken", lambda text: [Detection(label="X", score=1, span=Span(start=0, end=99))]), "failed"),
    ],
)
async def test_one_that_fails_does_not_touch_the_others(
    executor: ThreadPoolExecutor, broken: WordDetector, status: str
) -> None:
    reports = await ask(Registry([broken, WordDetector("cats", "cat")]), executor, "broken", "cats")
    assert [r.status for r in reports] == [status, "ok"]
    assert reports[0].detections == ()


async def test_no_log_line_quotes_the_content_or_the_librarys_message(
    executor: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await ask(Registry([FailingDetector("broken")]), executor, "broken", content="canary-7341")
    assert "detector.failed" in caplog.text
    assert "canary-7341" not in caplog.text
    assert not any(record.exc_info for record in caplog.records)


async def test_one_past_the_deadline_is_a_timeout_and_the_others_answer(executor: ThreadPoolExecutor) -> None:
    slow = BlockingDetector("slow")
    reports = await ask(Registry([slow, WordDetector("cats", "cat")]), executor, "slow", "cats", seconds=0.2)
    slow.release.set()
    assert [r.status for r in reports] == ["timeout", "ok"]


async def test_work_still_in_the_queue_at_the_deadline_is_never_done() -> None:
    slow, cats = BlockingDetector("slow"), WordDetector("cats", "cat")
    with ThreadPoolExecutor(1) as narrow:
        reports = await ask(Registry([slow, cats]), narrow, "slow", "cats", seconds=0.2)
        slow.release.set()
    assert [r.status for r in reports] == ["timeout", "timeout"]
    assert cats.loads == 0


async def test_a_detector_with_calls_that_never_end_is_set_aside_until_one_does() -> None:
    slow = BlockingDetector("slow")
    registry = Registry([slow])
    with ThreadPoolExecutor(4) as pool:
        for _ in range(MAX_OVERRUNNING):
            await ask(registry, pool, "slow", seconds=0.1)
        (set_aside,) = await ask(registry, pool, "slow")
        slow.release.set()
    with ThreadPoolExecutor(4) as pool:
        (back,) = await ask(registry, pool, "slow")
    assert (set_aside.status, back.status) == ("unavailable", "ok")


async def test_a_detector_is_loaded_once_for_many_requests(executor: ThreadPoolExecutor) -> None:
    cats = WordDetector("cats", "cat")
    registry = Registry([cats])
    for _ in range(3):
        await ask(registry, executor, "cats")
    assert cats.loads == 1
    assert registry.list().detectors[0].loaded


async def test_a_load_that_failed_is_tried_again(executor: ThreadPoolExecutor) -> None:
    broken = FailingDetector("broken", at_load=True)
    registry = Registry([broken])
    for _ in range(2):
        await ask(registry, executor, "broken")
    assert broken.loads == 2


async def test_white_space_is_not_judged() -> None:
    certain = SayingDetector("certain", lambda text: [Detection(label="X", score=1)])
    assert judge(certain, " \n\t ") == ((), 1)


async def test_judging_stops_between_windows_when_told() -> None:
    answers = iter([True, False])
    cats = WordDetector("cats", "cat", window_characters=100)
    assert judge(cats, "cat " * 100, lambda: next(answers)) is None
