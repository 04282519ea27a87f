"""What a stranger may try with a token, and what a provider may do to us."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import HttpUrl

from llama_mapper.contracts.problems import Unauthorized, Unavailable
from llama_mapper.identity.tokens import ASK_AGAIN_SECONDS, KEPT_FOR_SECONDS, KNOWN_FOR_SECONDS, Issuer, KeySet, Tokens
from tests.fakes.identity_provider import AUDIENCE, ISSUER, Provider

PEPPER = b"p" * 32
PROVIDER = Provider()  # RSA keys take a while to make
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider() -> Provider:
    PROVIDER.asked, PROVIDER.answers = 0, True
    PROVIDER.documents = [PROVIDER.document(kid) for kid in PROVIDER.keys]
    return PROVIDER


@pytest.fixture
def tokens(provider: Provider, clock: Clock) -> Tokens:
    issuer = Issuer(issuer=HttpUrl(ISSUER), jwks_url=HttpUrl(ISSUER + "jwks"), audience=AUDIENCE)
    return Tokens(issuer, KeySet(str(issuer.jwks_url), provider.client(), clock), PEPPER)


def encoded(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def resigned(token: str, header: dict[str, Any], secret: bytes) -> str:
    """The same claims under another header, signed by HMAC with *secret*."""
    signed = f"{encoded(header)}.{token.split('.')[1]}"
    mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def public_pem(provider: Provider) -> bytes:
    return provider.keys["rsa"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def with_claims(token: str, **changes: Any) -> str:
    header, claims, signature = token.split(".")
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    return f"{header}.{encoded(decoded | changes)}.{signature}"


def signed_hs256(provider: Provider, **header: Any) -> str:
    return resigned(provider.sign(), {"alg": "HS256", "typ": "JWT", "kid": "rsa", **header}, public_pem(provider))


NOW = int(time.time())
ATTACKS: dict[str, Callable[[Provider], str]] = {
    "no token at all": lambda p: "",
    "not three parts": lambda p: "a.b",
    "five parts, an encrypted token": lambda p: "a.b.c.d.e",
    "not base64": lambda p: "%%%.%%%.%%%",
    "no JSON in the header": lambda p: f"{base64.urlsafe_b64encode(b'no').decode()}.e30.x",
    "longer than any token": lambda p: p.sign({"padding": "x" * 9000}),
    "alg none": lambda p: f"{encoded({'alg': 'none', 'kid': 'rsa'})}.{p.sign().split('.')[1]}.",
    "alg None, in another case": lambda p: f"{encoded({'alg': 'nOnE', 'kid': 'rsa'})}.{p.sign().split('.')[1]}.",
    "no signature": lambda p: p.sign().rsplit(".", 1)[0] + ".",
    "HMAC with the public key as its secret": lambda p: signed_hs256(p),
    "HMAC with an empty secret": lambda p: resigned(p.sign(), {"alg": "HS256", "kid": "rsa"}, b""),
    "an algorithm that is not pinned": lambda p: jwt.encode({"sub": "ada"}, STRANGER, "RS512", headers={"kid": "rsa"}),
    "an algorithm of another key type": lambda p: p.sign(kid="rsa", key=ec.generate_private_key(ec.SECP256R1())),
    "the right claims by a stranger's key": lambda p: p.sign(key=STRANGER),
    "a stranger's key in the header (jwk)": lambda p: p.sign(
        key=STRANGER,
        header={"jwk": json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(STRANGER.public_key()))},
    ),
    "a stranger's key by URL (jku)": lambda p: p.sign(key=STRANGER, header={"jku": "https://evil.example/jwks"}),
    "a stranger's certificate by URL (x5u)": lambda p: p.sign(key=STRANGER, header={"x5u": "https://evil.example/c"}),
    "an unknown kid": lambda p: p.sign(header={"kid": "another"}),
    "a kid that walks a path": lambda p: p.sign(header={"kid": "../../dev/null"}),
    "a kid that asks a database": lambda p: p.sign(header={"kid": "rsa' OR '1'='1"}),
    "a kid that is no text": lambda p: resigned(p.sign(), {"alg": "RS256", "kid": ["rsa"]}, b"x"),
    "no kid": lambda p: jwt.encode({"sub": "ada"}, p.keys["rsa"], "RS256"),
    "a critical extension": lambda p: p.sign(header={"crit": ["b64"], "b64": False}),
    "a token of another type": lambda p: p.sign(header={"typ": "dpop+jwt"}),
    "an identity token's claims changed": lambda p: with_claims(p.sign(), tenants=["other"]),
    "expired": lambda p: p.sign({"exp": NOW - 3600, "iat": NOW - 7200}),
    "without an end": lambda p: p.sign(without="exp"),
    "an end that is no time": lambda p: p.sign({"exp": "never"}),
    "not valid yet (nbf)": lambda p: p.sign({"nbf": NOW + 3600}),
    "issued in the future (iat)": lambda p: p.sign({"iat": NOW + 3600}),
    "for somebody else (aud)": lambda p: p.sign({"aud": "another-service"}),
    "for nobody (aud)": lambda p: p.sign(without="aud"),
    "from somebody else (iss)": lambda p: p.sign({"iss": "https://login.example.org/"}),
    "from an issuer that begins alike": lambda p: p.sign({"iss": ISSUER + ".evil.example/"}),
    "from nobody (iss)": lambda p: p.sign(without="iss"),
    "about nobody (sub)": lambda p: p.sign(without="sub"),
    "a tenant that is none": lambda p: p.sign({"tenants": ["../other"]}),
    "tenants of another shape": lambda p: p.sign({"tenants": {"demo": True}}),
    "an acr that is a text to be logged": lambda p: p.sign({"acr": "write to ada@example.org\n"}),
    "an auth_time beyond all times": lambda p: p.sign({"auth_time": 1e300}),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_is_refused_and_quoted_nowhere(attack: str, tokens: Tokens, provider: Provider) -> None:
    token = ATTACKS[attack](provider)
    with pytest.raises(Unauthorized) as refused:
        await tokens.verify(token)
    assert "evil" not in refused.value.detail
    assert not any(len(part) > 3 and part in refused.value.detail for part in token.split("."))


@pytest.mark.parametrize("kid", PROVIDER.keys)
async def test_a_good_token_of_each_key_type_says_who_it_is(tokens: Tokens, provider: Provider, kid: str) -> None:
    changes = {"tenants": ["demo", "other"], "amr": ["pwd", "otp"], "acr": "urn:mfa", "auth_time": 1_700_000_000}
    principal = await tokens.verify(provider.sign(changes, kid=kid))
    assert (principal.kind, principal.tenants, principal.scopes) == ("token", ("demo", "other"), ("orchestrate:use",))
    assert (principal.amr, principal.acr) == (("pwd", "otp"), "urn:mfa")
    assert principal.authenticated_at is not None
    assert principal.authenticated_at.year == 2023


async def test_a_person_has_one_pseudonym_that_does_not_tell_who(tokens: Tokens, provider: Provider) -> None:
    one, again = await tokens.verify(provider.sign()), await tokens.verify(provider.sign(kid="ec"))
    other = await tokens.verify(provider.sign({"sub": "bob@example.org"}))
    assert one.subject == again.subject != other.subject
    assert "ada@" not in one.model_dump_json()


@pytest.mark.parametrize(
    ("claim", "scopes"),
    [
        ("openid", ()),
        ("keys:write orchestrate:use", ("orchestrate:use", "keys:write")),
        (["jobs:use", 1], ("jobs:use",)),
    ],
)
async def test_scopes_of_other_systems_are_left_out(
    tokens: Tokens, provider: Provider, claim: object, scopes: tuple[str, ...]
) -> None:
    assert (await tokens.verify(provider.sign({"scope": claim}))).scopes == scopes


async def test_half_a_minute_of_clock_difference_is_no_fault(tokens: Tokens, provider: Provider) -> None:
    assert await tokens.verify(provider.sign({"exp": int(time.time()) - 20}))


async def test_keys_are_fetched_once_and_again_when_they_are_old(
    tokens: Tokens, provider: Provider, clock: Clock
) -> None:
    for _ in range(3):
        await tokens.verify(provider.sign())
    assert provider.asked == 1
    clock.now = KNOWN_FOR_SECONDS + 1
    await tokens.verify(provider.sign())
    assert provider.asked == 2


async def test_a_rotated_key_is_fetched_and_a_withdrawn_one_ends(
    tokens: Tokens, provider: Provider, clock: Clock
) -> None:
    await tokens.verify(provider.sign())
    provider.keys["new"] = provider.keys["ed"]
    provider.documents = [provider.document("new")]
    clock.now = ASK_AGAIN_SECONDS + 1
    await tokens.verify(provider.sign(kid="new"))
    with pytest.raises(Unauthorized, match="signed by no key"):
        await tokens.verify(provider.sign(kid="rsa"))
    del provider.keys["new"]


async def test_unknown_kids_do_not_make_us_ask_at_will(tokens: Tokens, provider: Provider) -> None:
    for number in range(50):
        with pytest.raises(Unauthorized):
            await tokens.verify(provider.sign(header={"kid": f"made-up-{number}"}))
    assert provider.asked == 1


async def test_known_keys_serve_a_day_while_the_provider_is_away(
    tokens: Tokens, provider: Provider, clock: Clock
) -> None:
    await tokens.verify(provider.sign())
    provider.answers = False
    clock.now = KEPT_FOR_SECONDS - 1
    assert await tokens.verify(provider.sign())
    clock.now = KEPT_FOR_SECONDS + ASK_AGAIN_SECONDS + 2
    with pytest.raises(Unavailable):
        await tokens.verify(provider.sign())


async def test_without_any_keys_nobody_is_let_in_and_the_caller_may_come_again(
    tokens: Tokens, provider: Provider
) -> None:
    provider.answers = False
    with pytest.raises(Unavailable) as refused:
        await tokens.verify(provider.sign())
    assert refused.value.retry_after_seconds


@pytest.mark.parametrize(
    "document",
    [
        {"kty": "oct", "k": base64.urlsafe_b64encode(b"s" * 32).decode(), "kid": "rsa"},
        {**PROVIDER.document("rsa"), "use": "enc"},
        {**PROVIDER.document("rsa"), "key_ops": ["encrypt"]},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "rsa"},
        {"kty": "RSA", "kid": "rsa"},
        "no object",
    ],
)
async def test_a_key_that_is_not_for_signatures_is_not_used(
    tokens: Tokens, provider: Provider, document: object
) -> None:
    provider.documents = [document, PROVIDER.document("ec")]  # type: ignore[list-item]
    with pytest.raises(Unauthorized, match="signed by no key"):
        await tokens.verify(provider.sign())
    assert await tokens.verify(provider.sign(kid="ec")), "the others still count"
