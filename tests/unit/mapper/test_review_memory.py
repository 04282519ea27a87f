"""The queue of each tenant and its decisions, in memory. The same on Redis: tests/integration/mapper."""

from datetime import timedelta

import pytest

from llama_mapper.chassis import metrics
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.problems import InvalidRequest, NotFound
from mapper_serving.review_memory import MemoryReviews
from mapper_serving.reviews import Bounds, identity_of
from tests.fakes.mapping import finding
from tests.fakes.reviews import ACME, AT, DEMO, UNSURE, TickingClock, decision

A, B = finding("A", "tool"), finding("B", "tool")


@pytest.fixture
def reviews() -> MemoryReviews:
    return MemoryReviews(bounds=Bounds(waiting=2, decided=1, all=3), clock=TickingClock())


async def labels(reviews: MemoryReviews, tenant: TenantId = DEMO) -> list[tuple[str, int]]:
    return [(item.label, item.count) for item in await reviews.waiting(tenant, 10)]


async def test_labels_are_counted_and_the_most_frequent_come_first(reviews: MemoryReviews) -> None:
    for said in (A, B, B):
        await reviews.add(said, DEMO, UNSURE)
    assert await labels(reviews) == [("B", 2), ("A", 1)]
    assert [item.label for item in await reviews.waiting(DEMO, 1)] == ["B"]
    item = await reviews.one(DEMO, identity_of(B))
    assert (item.first_seen, item.last_seen) == (AT + timedelta(seconds=2), AT + timedelta(seconds=3))


async def test_a_tenant_sees_and_decides_its_own_labels_alone(reviews: MemoryReviews) -> None:
    await reviews.add(A, DEMO, UNSURE)
    assert await labels(reviews, ACME) == []
    with pytest.raises(NotFound):
        await reviews.one(ACME, identity_of(A))
    with pytest.raises(NotFound):
        await reviews.decide(ACME, identity_of(A), decision("HARM"))
    await reviews.decide(DEMO, identity_of(A), decision("HARM"))
    assert await reviews.decided(A, ACME) is None
    assert await reviews.decisions(ACME, "tenant", 10) == ()


async def test_tenants_that_are_not_named_share_one_queue() -> None:
    reviews = MemoryReviews(frozenset({"demo"}))
    for tenant in ("demo", "invented", "made-up"):
        await reviews.add(A, TenantId(tenant), UNSURE)
    assert await labels(reviews) == [("A", 1)]
    assert await labels(reviews, TenantId("anonymous")) == await labels(reviews, ACME) == [("A", 2)]


async def test_invented_labels_do_not_fill_it_and_known_ones_are_still_counted(reviews: MemoryReviews) -> None:
    full = metrics.FALLBACKS.labels("mapper.reviews.full")._value.get()
    for label in ("A", "B", "C", "B"):
        await reviews.add(finding(label, "tool"), DEMO, UNSURE)
    assert await labels(reviews) == [("B", 2), ("A", 1)]
    assert metrics.FALLBACKS.labels("mapper.reviews.full")._value.get() - full == 1


async def test_invented_tenants_do_not_fill_it(reviews: MemoryReviews) -> None:
    for number in range(5):
        await reviews.add(A, TenantId(f"tenant-{number}"), UNSURE)
    assert [len(await labels(reviews, TenantId(f"tenant-{number}"))) for number in range(5)] == [1, 1, 1, 0, 0]


@pytest.mark.parametrize("said", [(), ("PII.Contact.Email",)])
async def test_what_is_decided_leaves_the_queue_and_does_not_come_back(
    reviews: MemoryReviews, said: tuple[str, ...]
) -> None:
    await reviews.add(A, DEMO, UNSURE)
    item = await reviews.decide(DEMO, identity_of(A), decision(*said))
    await reviews.add(A, DEMO, UNSURE)
    assert await labels(reviews) == []
    assert await reviews.decided(A, DEMO) == item.decision == decision(*said)
    assert await reviews.decisions(DEMO, "tenant", 10) == (item,) == (await reviews.one(DEMO, item.id),)


async def test_what_is_said_again_replaces_what_was_said(reviews: MemoryReviews) -> None:
    await reviews.add(A, DEMO, UNSURE)
    for said in (decision("HARM"), decision(), decision("BIAS")):
        await reviews.decide(DEMO, identity_of(A), said)
    assert await reviews.decided(A, DEMO) == decision("BIAS")
    assert len(await reviews.decisions(DEMO, "tenant", 10)) == 1


async def test_decisions_are_listed_newest_first() -> None:
    reviews = MemoryReviews()
    for said in (A, B):
        await reviews.add(said, DEMO, UNSURE)
        await reviews.decide(DEMO, identity_of(said), decision("HARM"))
    assert [item.label for item in await reviews.decisions(DEMO, "tenant", 10)] == ["B", "A"]
    assert [item.label for item in await reviews.decisions(DEMO, "tenant", 1)] == ["B"]


async def test_no_more_is_decided_than_fits_and_the_label_goes_on_waiting(reviews: MemoryReviews) -> None:
    for said in (A, B):
        await reviews.add(said, DEMO, UNSURE)
    await reviews.decide(DEMO, identity_of(A), decision("HARM"))
    with pytest.raises(InvalidRequest, match="as many decisions"):
        await reviews.decide(DEMO, identity_of(B), decision("HARM"))
    await reviews.decide(DEMO, identity_of(A), decision("BIAS"))
    assert await labels(reviews) == [("B", 1)]


async def test_a_decision_for_all_takes_the_label_out_of_every_queue_and_a_tenants_own_goes_first() -> None:
    reviews = MemoryReviews()
    for tenant in (DEMO, ACME):
        await reviews.add(A, tenant, UNSURE)
    await reviews.decide(DEMO, identity_of(A), decision("HARM", scope="platform"))
    assert await labels(reviews, ACME) == []
    assert [await reviews.decided(A, tenant) for tenant in (DEMO, ACME)] == [decision("HARM", scope="platform")] * 2
    await reviews.decide(ACME, identity_of(A), decision("BIAS"))
    assert await reviews.decided(A, ACME) == decision("BIAS")
    assert await reviews.decided(A, DEMO) == decision("HARM", scope="platform")
    assert [len(await reviews.decisions(DEMO, scope, 10)) for scope in ("tenant", "platform")] == [0, 1]


async def test_who_decides_for_all_takes_its_own_earlier_word_back() -> None:
    reviews = MemoryReviews()
    await reviews.add(A, DEMO, UNSURE)
    await reviews.decide(DEMO, identity_of(A), decision("HARM"))
    await reviews.decide(DEMO, identity_of(A), decision("BIAS", scope="platform"))
    assert await reviews.decided(A, DEMO) == decision("BIAS", scope="platform")
