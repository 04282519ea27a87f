import asyncio

import pytest

from llama_mapper.chassis import correlation

TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


@pytest.mark.parametrize("given", ["order-0001", "0123456789abcdef", "A_b-12345", "x" * 64])
def test_a_well_formed_id_is_taken_over(given: str) -> None:
    assert correlation.adopt(given) == given == correlation.current()


@pytest.mark.parametrize("given", [None, "", "short", "x" * 65, "a@example.org", "order-0001\n", "_order-0001"])
def test_else_a_new_one_is_made(given: str | None) -> None:
    made = correlation.adopt(given)
    assert (len(made), made == correlation.current()) == (32, True)
    assert correlation.adopt(given) != made


@pytest.mark.parametrize("trace", [None, "", TRACE.upper(), TRACE + "0", "00-" + "a" * 32, TRACE + "\n"])
def test_a_trace_that_is_none_is_dropped(trace: str | None) -> None:
    correlation.adopt("order-0001", TRACE)
    correlation.adopt("order-0001", trace)
    assert correlation.traceparent() is None


def test_a_trace_is_handed_on() -> None:
    correlation.adopt("order-0001", TRACE)
    assert correlation.traceparent() == TRACE


async def test_requests_side_by_side_keep_their_own() -> None:
    async def request(number: int) -> bool:
        correlation.adopt(f"order-{number:04}")
        await asyncio.sleep(0)
        return correlation.current() == f"order-{number:04}"

    assert all(await asyncio.gather(*(request(number) for number in range(20))))
