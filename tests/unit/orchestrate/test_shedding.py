import random
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.orchestrate.shedding import LARGEST, SHARES, SMALLEST, Shedding
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.orchestration import Priority
from llama_mapper.contracts.problems import RateLimited, Unavailable

PRIORITIES: tuple[Priority, ...] = ("low", "normal", "high", "critical")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def filled(shedding: Shedding, stack: ExitStack, priority: Priority) -> int:
    """Take places for ever other tenants until one is refused; return how many there were."""
    taken = 0
    while True:
        try:
            stack.enter_context(shedding.slot(TenantId(f"t{taken}"), priority, 1.0))
        except Unavailable:
            return taken
        taken += 1


@pytest.mark.parametrize(("priority", "share"), SHARES.items())
def test_each_priority_is_refused_at_its_share_of_the_limit(priority: Priority, share: float) -> None:
    with ExitStack() as stack:
        assert filled(Shedding(100), stack, priority) == 100 * share


def test_the_important_still_passes_where_the_unimportant_is_refused() -> None:
    shedding = Shedding(100)
    with ExitStack() as stack:
        filled(shedding, stack, "low")
        assert [filled(shedding, stack, priority) for priority in PRIORITIES] == [0, 30, 15, 5]


def test_a_refusal_says_when_to_come_again() -> None:
    shedding = Shedding(4)
    with ExitStack() as stack:
        filled(shedding, stack, "critical")
        with pytest.raises(Unavailable) as refused, shedding.slot(TenantId("t"), "critical", 1.0):
            raise AssertionError("it was let in")
    assert refused.value.retry_after_seconds == 1


def test_one_tenant_leaves_room_for_others() -> None:
    shedding, greedy, other = Shedding(100), TenantId("greedy"), TenantId("other")
    with ExitStack() as stack:
        for _ in range(75):
            stack.enter_context(shedding.slot(greedy, "critical", 1.0))
        with pytest.raises(RateLimited), shedding.slot(greedy, "critical", 1.0):
            raise AssertionError("it was let in")
        with shedding.slot(other, "normal", 1.0):
            pass


def test_places_are_given_back_by_what_fails_too() -> None:
    shedding = Shedding(4)
    for _ in range(100):
        with pytest.raises(ZeroDivisionError), shedding.slot(TenantId("t"), "critical", 1.0):
            _ = 1 / 0
    with ExitStack() as stack:
        assert filled(shedding, stack, "critical") >= 4


def test_late_answers_lower_the_limit_and_timely_ones_raise_it_while_it_is_used() -> None:
    clock = Clock()
    shedding = Shedding(100, clock=clock)
    with shedding.slot(TenantId("t"), "normal", 1.0):
        clock.now += 1.0
    assert shedding.limit == 90
    with shedding.slot(TenantId("t"), "normal", 1.0):
        clock.now += 0.1
    assert shedding.limit == 90, "one at a time proves nothing about ninety"
    with ExitStack() as stack:
        filled(shedding, stack, "critical")
    assert shedding.limit > 90


@given(
    st.integers(4, 512),
    st.lists(st.tuples(st.sampled_from(PRIORITIES), st.integers(0, 3), st.floats(0, 3)), max_size=80),
    st.integers(0, 2**32),
)
def test_whatever_comes_the_limit_stays_in_its_bounds_and_nothing_leaks(
    start: int, work: list[tuple[Priority, int, float]], seed: int
) -> None:
    clock, order = Clock(), random.Random(seed)
    shedding = Shedding(start, clock=clock)
    open_slots: list[ExitStack] = []
    for priority, tenant, seconds in work:
        stack = ExitStack()
        try:
            stack.enter_context(shedding.slot(TenantId(f"t{tenant}"), priority, 1.0))
        except (Unavailable, RateLimited):
            continue
        open_slots.append(stack)
        if order.random() < 0.5:
            clock.now += seconds
            open_slots.pop(order.randrange(len(open_slots))).close()
        assert SMALLEST <= shedding.limit <= LARGEST
    for stack in open_slots:
        stack.close()
    with ExitStack() as stack:
        assert filled(shedding, stack, "critical") >= SMALLEST
