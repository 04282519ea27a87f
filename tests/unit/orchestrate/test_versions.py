import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from functions.orchestrate.detectors.versions import Rollout, Versions
from llama_mapper.contracts.identifiers import DetectorId, TenantId

MODEL, NEXT, LATER = DetectorId("model"), DetectorId("model-next"), DetectorId("model-later")
DEMO, OTHER = TenantId("demo"), TenantId("other")
KEY = b"k" * 32


def versions(*shares: tuple[DetectorId, float], key: bytes = KEY) -> Versions:
    candidates = [{"detector": name, "share": share} for name, share in shares]
    return Versions({MODEL: Rollout.model_validate({"candidates": candidates})}, key)


@given(st.text(max_size=200))
def test_the_same_content_always_goes_to_the_same_side(content: str) -> None:
    assert versions((NEXT, 0.5)).candidate(MODEL, DEMO, content) == versions((NEXT, 0.5)).candidate(
        MODEL, DEMO, content
    )


@given(st.text(max_size=200), st.floats(0.01, 0.5), st.floats(0.01, 0.5))
def test_a_share_that_grows_moves_nobody_back(content: str, share: float, more: float) -> None:
    if versions((NEXT, share)).candidate(MODEL, DEMO, content):
        assert versions((NEXT, min(1.0, share + more))).candidate(MODEL, DEMO, content) == NEXT


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_a_candidate_gets_about_its_share(share: float) -> None:
    asked = versions((NEXT, share))
    got = sum(asked.candidate(MODEL, DEMO, f"content {n}") == NEXT for n in range(10_000)) / 10_000
    assert abs(got - share) < 4 * (share * (1 - share) / 10_000) ** 0.5


def test_shares_of_several_candidates_do_not_overlap() -> None:
    asked = versions((NEXT, 0.3), (LATER, 0.7))
    assert {asked.candidate(MODEL, DEMO, f"content {n}") for n in range(200)} == {NEXT, LATER}
    assert versions((NEXT, 1.0)).candidate(MODEL, DEMO, "whatever") == NEXT


def test_who_is_not_rolled_out_answers_itself() -> None:
    assert versions((NEXT, 1.0)).candidate(DetectorId("another"), DEMO, "content") is None


def test_tenants_and_keys_draw_their_own_lots() -> None:
    def sides(tenant: TenantId, key: bytes) -> list[bool]:
        asked = versions((NEXT, 0.5), key=key)
        return [asked.candidate(MODEL, tenant, f"content {n}") == NEXT for n in range(64)]

    assert len({tuple(sides(t, k)) for t in (DEMO, OTHER) for k in (KEY, b"j" * 32)}) == 4


@pytest.mark.parametrize(
    "candidates",
    [
        [],
        [{"detector": "next", "share": 0}],
        [{"detector": "next", "share": 1.1}],
        [{"detector": "next", "share": 0.6}, {"detector": "later", "share": 0.5}],
        [{"detector": "next", "share": 0.1}, {"detector": "next", "share": 0.1}],
        [{"detector": "next"}],
    ],
)
def test_shares_that_make_no_sense_are_refused(candidates: list[dict[str, object]]) -> None:
    with pytest.raises(ValidationError):
        Rollout.model_validate({"candidates": candidates})
