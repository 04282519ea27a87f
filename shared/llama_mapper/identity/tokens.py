"""JSON Web Tokens of an OpenID provider, checked as RFC 8725 (JWT Best Current Practices) asks.

The algorithms are pinned by setting and asymmetric, the key is chosen by ``kid`` from the provider's JWKS alone
(``jku``, ``jwk``, ``x5u`` and ``x5c`` of a token are never followed), and a key serves only its own type's algorithm.
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import httpx
import jwt
from pydantic import Field, HttpUrl, TypeAdapter, ValidationError

from llama_mapper.contracts.identifiers import HolderId
from llama_mapper.contracts.identity import SCOPES, AuthenticationMethod, Principal, Scope
from llama_mapper.contracts.problems import Unauthorized, Unavailable
from llama_mapper.contracts.wire import Token, Wire

Algorithm = Literal["RS256", "PS256", "ES256", "EdDSA"]
KEY_TYPES: Mapping[Algorithm, str] = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
MAX_TOKEN_CHARACTERS = 8192
KNOWN_FOR_SECONDS = 600.0
KEPT_FOR_SECONDS = 86_400.0
ASK_AGAIN_SECONDS = 30.0
LEEWAY_SECONDS = 30.0
LEAST_RSA_BITS = 2048
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_TENANTS: TypeAdapter[tuple[HolderId, ...]] = TypeAdapter(tuple[HolderId, ...])
_METHODS: TypeAdapter[tuple[AuthenticationMethod, ...]] = TypeAdapter(tuple[AuthenticationMethod, ...])


class Issuer(Wire):
    """A provider whose tokens count, and how they say what we need."""

    issuer: HttpUrl
    jwks_url: HttpUrl
    audience: Token
    algorithms: tuple[Algorithm, ...] = Field(default=("RS256", "ES256", "EdDSA"), min_length=1)
    tenants_claim: Token = "tenants"
    scopes_claim: Token = "scope"


class KeySet:
    """The provider's keys: fetched when first needed, every ten minutes, and for a ``kid`` that is new.

    Not oftener than each 30 s, or a stranger could make us call the provider at will. While it is away, known keys
    serve a day.
    """

    def __init__(self, url: str, client: httpx.AsyncClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._client = client
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at: float | None = None
        self._asked_at: float | None = None
        self._lock = asyncio.Lock()

    async def get(self, kid: str) -> jwt.PyJWK | None:
        """Return the key, None where the provider has none of that id.

        Raises:
            Unavailable: the provider has not answered, ever or for a day.
        """
        async with self._lock:
            if kid not in self._keys or self._older_than(self._fetched_at, KNOWN_FOR_SECONDS):
                await self._refresh()
            if self._older_than(self._fetched_at, KEPT_FOR_SECONDS):
                raise Unavailable("the identity provider does not answer", retry_after_seconds=5)
            return self._keys.get(kid)

    def _older_than(self, moment: float | None, seconds: float) -> bool:
        return moment is None or self._clock() - moment > seconds

    async def _refresh(self) -> None:
        if not self._older_than(self._asked_at, ASK_AGAIN_SECONDS):
            return
        self._asked_at = self._clock()
        try:
            answer = await self._client.get(self._url, timeout=2.0, follow_redirects=False)
            answer.raise_for_status()
            documents = answer.json()["keys"]
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return
        self._keys = {key.key_id: key for key in map(_signing_key, documents) if key and key.key_id}
        self._fetched_at = self._clock()


def _signing_key(document: Any) -> jwt.PyJWK | None:
    """Read one JWK; None for what we would not verify a signature with (a secret, an encryption key, a short RSA)."""
    if not isinstance(document, dict) or document.get("kty") not in KEY_TYPES.values():
        return None
    if document.get("use", "sig") != "sig" or "verify" not in document.get("key_ops", ["verify"]):
        return None
    try:
        key = jwt.PyJWK(document)
    except (jwt.PyJWKError, jwt.InvalidKeyError, ValueError):
        return None
    return None if key.key_type == "RSA" and key.key.key_size < LEAST_RSA_BITS else key


class Tokens:
    """Verifies bearer tokens of one issuer; *pepper* makes a person's pseudonym."""

    def __init__(self, issuer: Issuer, keys: KeySet, pepper: bytes) -> None:
        self._issuer = issuer
        self._keys = keys
        self._pepper = pepper

    async def verify(self, presented: str) -> Principal:
        """Say whose *presented* is.

        Raises:
            Unauthorized: not a token of this issuer for us, now. The reason is named, nothing of the token is.
            Unavailable: the provider's keys cannot be had.
        """
        kid, algorithm = self._header(presented)
        key = await self._keys.get(kid)
        if key is None:
            raise Unauthorized("the token is signed by no key of its issuer")
        if key.key_type != KEY_TYPES[algorithm]:
            raise Unauthorized("the token's algorithm does not fit its key")
        try:
            claims = jwt.decode(
                presented,
                key.key,
                algorithms=[algorithm],
                audience=self._issuer.audience,
                issuer=str(self._issuer.issuer),
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "sub"], "strict_aud": False},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthorized("the token has expired") from None
        except jwt.InvalidTokenError as error:
            raise Unauthorized(f"the token is not valid: {_NAMED.get(type(error), 'it cannot be verified')}") from None
        return self._principal(claims)

    def _header(self, presented: str) -> tuple[str, Algorithm]:
        if len(presented) > MAX_TOKEN_CHARACTERS or presented.count(".") != 2:
            raise Unauthorized("the bearer token is no signed JWT")
        try:
            header = jwt.get_unverified_header(presented)
        except jwt.InvalidTokenError:
            raise Unauthorized("the bearer token is no signed JWT") from None
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in self._issuer.algorithms:
            raise Unauthorized("the token's algorithm is not one we take")
        if not isinstance(kid, str) or not 0 < len(kid) <= 256:
            raise Unauthorized("the token names no key (kid)")
        if "crit" in header or str(header.get("typ", "JWT")).lower() not in _TYPES:
            raise Unauthorized("the token is of another type")
        return kid, algorithm

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        subject = f"{self._issuer.issuer}\n{claims['sub']}".encode()
        try:
            return Principal(
                subject=f"person:{hmac.new(self._pepper, subject, hashlib.sha256).hexdigest()[:32]}",
                kind="token",
                tenants=_TENANTS.validate_python(_listed(claims.get(self._issuer.tenants_claim))),
                scopes=_scopes(claims.get(self._issuer.scopes_claim)),
                amr=_METHODS.validate_python(_listed(claims.get("amr"))),
                acr=claims.get("acr"),
                authenticated_at=_moment(claims.get("auth_time")),
            )
        except (ValidationError, OverflowError, ValueError, OSError):
            raise Unauthorized("the token's claims are not of the shape we know") from None


_NAMED: Mapping[type[jwt.InvalidTokenError], str] = {
    jwt.InvalidAudienceError: "it is for somebody else (aud)",
    jwt.InvalidIssuerError: "it is from somebody else (iss)",
    jwt.ImmatureSignatureError: "it is not valid yet (nbf, iat)",
    jwt.InvalidIssuedAtError: "iat is no time",
    jwt.MissingRequiredClaimError: "it lacks one of exp, iat, iss, aud, sub",
    jwt.InvalidSignatureError: "its signature is wrong",
}
assert set(KEY_TYPES) == set(get_args(Algorithm))


def _listed(claim: object) -> list[object]:
    """A claim that providers write as one text or as a list."""
    return [] if claim is None else claim if isinstance(claim, list) else [claim]


def _scopes(claim: object) -> tuple[Scope, ...]:
    """Our scopes among the token's (RFC 8693 section 4.2: separated by spaces); others are other systems'."""
    words = {word for part in _listed(claim) if isinstance(part, str) for word in part.split()}
    return tuple(scope for scope in SCOPES if scope in words)


def _moment(claim: object) -> datetime | None:
    return datetime.fromtimestamp(claim, UTC) if isinstance(claim, int | float) else None
