from hypothesis import given, settings
from hypothesis import strategies as st
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState

from functions.orchestrate.detectors.breakers import breakers
from llama_mapper.chassis.calls import guarded


async def call(factory: AsyncCircuitBreakerFactory, *, good: bool) -> bool:
    """Whether it was let through."""
    try:
        async with guarded(await factory.get_breaker("model")):
            if not good:
                raise OSError
    except OpenedState:
        return False
    except OSError:
        return True
    return True


@settings(max_examples=50, deadline=None)
@given(st.lists(st.booleans(), max_size=40))
async def test_a_breaker_opens_exactly_after_five_failures_in_a_row(goods: list[bool]) -> None:
    factory, row = breakers(None), 0
    for good in goods:
        assert await call(factory, good=good) == (row < 5)
        if row < 5:
            row = 0 if good else row + 1


async def test_failures_older_than_the_window_do_not_count() -> None:
    forgetful = breakers(None, failures=2, window_seconds=1e-9)
    assert [await call(forgetful, good=False) for _ in range(10)] == [True] * 10


async def test_after_its_rest_one_good_call_closes_it_and_one_bad_one_opens_it() -> None:
    for good, then in ((True, True), (False, False)):
        factory = breakers(None, failures=1, rest_seconds=60.0)
        await call(factory, good=False)
        assert not await call(factory, good=True)
        context = (await factory.get_breaker("model")).context
        context._state.opened_at = 0.0
        assert await call(factory, good=good)
        assert await call(factory, good=True) == then
