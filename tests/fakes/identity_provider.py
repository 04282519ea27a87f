"""An OpenID provider: keys of its own, a JWKS as it would serve it, tokens as it would sign them."""

import json
import time
from collections.abc import Mapping
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ISSUER = "https://login.example.com/"
AUDIENCE = "llama-mapper"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_ALGORITHMS: Mapping[type[PrivateKey], str] = {
    rsa.RSAPrivateKey: "RS256",
    ec.EllipticCurvePrivateKey: "ES256",
    ed25519.Ed25519PrivateKey: "EdDSA",
}


def algorithm_of(key: PrivateKey) -> str:
    return next(name for kind, name in _ALGORITHMS.items() if isinstance(key, kind))


class Provider:
    """Serves ``documents`` as its JWKS; ``asked`` counts how often; ``answers`` False is a provider that is down."""

    def __init__(self) -> None:
        self.keys: dict[str, PrivateKey] = {
            "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "ec": ec.generate_private_key(ec.SECP256R1()),
            "ed": ed25519.Ed25519PrivateKey.generate(),
        }
        self.documents = [self.document(kid) for kid in self.keys]
        self.asked = 0
        self.answers = True

    def document(self, kid: str) -> dict[str, Any]:
        key = self.keys[kid]
        algorithm = jwt.get_algorithm_by_name(algorithm_of(key))
        public = json.loads(algorithm.to_jwk(key.public_key()))
        return {**public, "kid": kid, "use": "sig"}

    def sign(
        self,
        changes: Mapping[str, Any] | None = None,
        *,
        kid: str = "rsa",
        header: Mapping[str, Any] | None = None,
        without: str = "",
        key: PrivateKey | None = None,
    ) -> str:
        """A good token, but for what is changed."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "ada@example.org",
            "iat": now,
            "exp": now + 300,
            "tenants": ["demo"],
            "scope": "openid orchestrate:use",
        }
        claims = {name: value for name, value in {**claims, **(changes or {})}.items() if name != without}
        private = key or self.keys[kid]
        return jwt.encode(claims, private, algorithm_of(private), headers={"kid": kid, **(header or {})})

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self._serve))

    def _serve(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        return httpx.Response(200, json={"keys": self.documents}) if self.answers else httpx.Response(503)
