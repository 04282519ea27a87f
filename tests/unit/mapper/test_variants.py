"""Each label has its version and keeps it, the shares are met, and a request may name another."""

import asyncio
from collections import Counter

import pytest
from pydantic import ValidationError

from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.mapping import VendorFinding
from llama_mapper.contracts.problems import InvalidRequest, Unavailable
from mapper_serving.settings import Settings
from mapper_serving.variants import Variant, Variants
from tests.fakes.mapping import SayingVersion, finding, resolved

DEMO, OTHER = TenantId("demo"), TenantId("other")
LABELS = [finding(f"label-{number}") for number in range(10_000)]


def variants(**shares: float) -> Variants:
    return Variants([Variant(SayingVersion(version), share) for version, share in shares.items()])


def assigned(of: Variants, tenant_id: TenantId = DEMO, labels: list[VendorFinding] = LABELS) -> list[str]:
    return [of.assign(one, tenant_id) for one in labels]


@pytest.mark.parametrize(
    "shares",
    [{"a": 90.0, "b": 10.0}, {"a": 50.0, "b": 50.0}, {"a": 99.0, "b": 1.0}, {"a": 60.0, "b": 30.0, "c": 10.0}],
)
def test_shares_are_met_over_ten_thousand_labels(shares: dict[str, float]) -> None:
    counts = Counter(assigned(variants(**shares)))
    for version, share in shares.items():
        p = share / 100
        noise = 4 * (p * (1 - p) * len(LABELS)) ** 0.5  # four standard deviations of a fair draw
        assert abs(counts[version] - p * len(LABELS)) < noise


def test_the_same_label_of_the_same_tenant_always_has_the_same_version() -> None:
    assert assigned(variants(a=50, b=50)) == assigned(variants(a=50, b=50))
    again = [finding(one.label, score=0.3, raw_ref="other") for one in LABELS[:100]]
    assert assigned(variants(a=50, b=50), labels=again) == assigned(variants(a=50, b=50))[:100]


def test_another_tenant_draws_for_itself() -> None:
    one, other = assigned(variants(a=50, b=50)), assigned(variants(a=50, b=50), OTHER)
    same = sum(left == right for left, right in zip(one, other, strict=True))
    assert 4_800 < same < 5_200


def test_a_share_that_grows_takes_labels_and_gives_none_back() -> None:
    before, after = assigned(variants(a=90, b=10)), assigned(variants(a=50, b=50))
    moves = Counter((left, right) for left, right in zip(before, after, strict=True) if left != right)
    assert set(moves) == {("a", "b")}
    assert 3_700 < moves["a", "b"] < 4_300


def test_a_third_version_moves_only_the_labels_it_takes() -> None:
    before, after = assigned(variants(a=50, b=50)), assigned(variants(a=45, b=45, c=10))
    assert {right for left, right in zip(before, after, strict=True) if left != right} == {"c"}


def test_a_version_without_a_share_answers_who_asks_for_it_and_nobody_else() -> None:
    several = variants(a=100, b=0)
    assert set(assigned(several)) == {"a"}
    assert several.assign(LABELS[0], DEMO, "b") == "b"


def test_a_version_that_is_not_here_is_refused_with_those_that_are() -> None:
    with pytest.raises(InvalidRequest, match="check: adapter; served here: a, b") as raised:
        variants(b=50, a=50).assign(LABELS[0], DEMO, "canary")
    assert "canary" not in raised.value.detail


async def test_the_version_that_was_assigned_is_asked() -> None:
    one, other = SayingVersion("a"), SayingVersion("b", resolved(adapter="b"))
    several = Variants([Variant(one, 50), Variant(other, 50)])
    assert (await several.resolve(LABELS[0], "b")).adapter == "b"
    assert (one.asked, other.asked) == ([], ["label-0"])


async def test_one_version_that_is_away_does_not_stop_the_others() -> None:
    several = Variants([Variant(SayingVersion("a"), 50), Variant(SayingVersion("b", Unavailable("away")), 50)])
    answers = await asyncio.gather(*(several.resolve(LABELS[0], version) for version in "ab"), return_exceptions=True)
    assert [type(answer).__name__ for answer in answers] == ["Resolution", "Unavailable"]


def test_all_versions_are_started() -> None:
    one, other = SayingVersion("a"), SayingVersion("b")
    Variants([Variant(one, 100), Variant(other, 0)]).start()
    assert (one.started, other.started) == (True, True)


SERVED = {"url": "http://127.0.0.1:9", "adapter": "/a", "share": 50}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ([{}], "the shares must add up to 100"),
        ([{}, {"share": 49}], "the shares must add up to 100"),
        ([{}, {"share": -1}], "greater than or equal to 0"),
        ([{"url": "ftp://x"}, {}], "pattern"),
        ([{"sahre": 50}, {}], "Extra inputs"),
        ([{"share": 100 / 9}] * 9, "at most 8"),
    ],
)
def test_wrong_variants_are_refused(changes: list[dict[str, object]], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        Settings.model_validate({"variants": [SERVED | change for change in changes]})


def test_variants_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAPPER_VARIANTS", '[{"url": "http://127.0.0.1:9", "adapter": "/a", "share": 100}]')
    (one,) = Settings().variants
    assert (one.model, one.share) == ("mapper-llm", 100)
