import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.orchestrate.redaction.tokens import Hashes, Tokens
from llama_mapper.chassis.sealing import WrongKeyset, new_keyset, new_token_keyset, rotated
from llama_mapper.contracts.identifiers import TenantId

KEYSET = new_token_keyset()
TOKENS, HASHES = Tokens(KEYSET), Hashes(b"k" * 32)
DEMO, OTHER = TenantId("demo"), TenantId("other")
VALUES = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)


def standing_for(value: str, tenant: TenantId = DEMO) -> str:
    return f"<PII.Contact.Email:{TOKENS.of(tenant)(value)}>"


@given(VALUES)
def test_a_token_is_turned_back(value: str) -> None:
    assert TOKENS.restore(f"a {standing_for(value)} b", DEMO) == (f"a {value} b", 1, 0)


@given(VALUES)
def test_equal_values_of_a_tenant_have_equal_tokens_and_hashes(value: str) -> None:
    assert TOKENS.of(DEMO)(value) == TOKENS.of(DEMO)(value)
    assert HASHES.of(DEMO)(value) == HASHES.of(DEMO)(value)


@given(VALUES)
def test_another_tenant_has_another_token_and_hash_and_cannot_turn_ours_back(value: str) -> None:
    assert TOKENS.of(DEMO)(value) != TOKENS.of(OTHER)(value)
    assert HASHES.of(DEMO)(value) != HASHES.of(OTHER)(value)
    assert TOKENS.restore(standing_for(value), OTHER) == (standing_for(value), 0, 1)


@given(VALUES, VALUES)
def test_other_values_have_other_tokens_and_hashes(one: str, two: str) -> None:
    assert (TOKENS.of(DEMO)(one) == TOKENS.of(DEMO)(two)) is (one == two)
    assert (HASHES.of(DEMO)(one) == HASHES.of(DEMO)(two)) is (one == two)


@given(st.data(), VALUES)
def test_a_token_that_was_changed_is_left_as_it_is(data: st.DataObject, value: str) -> None:
    token = standing_for(value)
    place = data.draw(st.integers(token.index(":t.") + 3, len(token) - 3))  # the last character holds spare bits
    changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
    assert TOKENS.restore(changed, DEMO) == (changed, 0, 1)


@pytest.mark.parametrize(
    "text", ["", "<PII:h.0123456789abcdef0123456789abcdef>", "<PII.Contact.Email:t.short>", "<b>t.AAAA</b>", "<<>>"]
)
def test_what_is_no_token_is_not_counted(text: str) -> None:
    assert TOKENS.restore(text, DEMO) == (text, 0, 0)


def test_a_hash_holds_nothing_of_the_value_and_has_one_length() -> None:
    for value in ("a", "ada@example.org" * 20):
        assert re.fullmatch(r"h\.[0-9a-f]{32}", HASHES.of(DEMO)(value))


def test_another_installation_has_other_hashes() -> None:
    assert Hashes(b"o" * 32).of(DEMO)("ada@example.org") != HASHES.of(DEMO)("ada@example.org")


def test_with_a_new_primary_key_old_tokens_are_turned_back_and_new_ones_differ() -> None:
    ring = Tokens(rotated(KEYSET, new_token_keyset))
    assert ring.restore(standing_for("ada"), DEMO) == ("ada", 1, 0)
    assert ring.of(DEMO)("ada") != TOKENS.of(DEMO)("ada")


@pytest.mark.parametrize("text", ["", "{}", "canary-secret", new_keyset()], ids=["empty", "no keys", "text", "aead"])
def test_what_is_no_keyset_for_tokens_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(WrongKeyset) as refused:
        Tokens(text)
    assert "canary" not in str(refused.value)
