import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.chassis.sealing import Sealer, Unsealable, WrongKeyset, new_keyset, rotated

KEYSET = new_keyset()
SEALER = Sealer(KEYSET)


@given(st.binary(max_size=200), st.lists(st.text(max_size=12), min_size=1, max_size=3))
def test_what_was_sealed_for_a_place_opens_there(plain: bytes, place: list[str]) -> None:
    assert SEALER.open(SEALER.seal(plain, *place), *place) == plain


def test_the_same_text_is_never_sealed_the_same_way() -> None:
    assert SEALER.seal(b"a", "demo") != SEALER.seal(b"a", "demo")


@pytest.mark.parametrize(
    "place", [("other", "jobs"), ("demo", "cache"), ("demo",), ("demoj", "obs"), ("demo", "jobs", ""), ()]
)
def test_it_opens_nowhere_else(place: tuple[str, ...]) -> None:
    with pytest.raises(Unsealable):
        SEALER.open(SEALER.seal(b"a secret", "demo", "jobs"), *place)


@pytest.mark.parametrize("byte", [0, 5, 17, -1])
def test_a_changed_byte_is_noticed(byte: int) -> None:
    sealed = bytearray(SEALER.seal(b"a secret", "demo"))
    sealed[byte] ^= 1
    with pytest.raises(Unsealable):
        SEALER.open(bytes(sealed), "demo")


@pytest.mark.parametrize("sealed", [b"", b"a", b"a secret"])
def test_what_nobody_sealed_does_not_open(sealed: bytes) -> None:
    with pytest.raises(Unsealable):
        SEALER.open(sealed, "demo")


def test_after_a_rotation_old_things_open_and_new_ones_need_the_new_key() -> None:
    old = SEALER.seal(b"a secret", "demo")
    new_ring = Sealer(rotated(KEYSET))
    assert new_ring.open(old, "demo") == b"a secret"
    with pytest.raises(Unsealable):
        SEALER.open(new_ring.seal(b"a secret", "demo"), "demo")


def test_another_ring_opens_nothing() -> None:
    with pytest.raises(Unsealable):
        Sealer(new_keyset()).open(SEALER.seal(b"a secret", "demo"), "demo")


@pytest.mark.parametrize("text", ["", "no JSON", "{}", json.dumps({"primaryKeyId": 1, "key": []})])
def test_a_wrong_keyset_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(WrongKeyset) as refused:
        Sealer(text)
    assert not text or text not in str(refused.value)
