"""The same policies asked of an OPA server beside this process, by OPA's REST API."""

from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, ClassVar, Literal

import httpx
from pydantic import TypeAdapter, ValidationError

from llama_mapper.contracts.problems import Unavailable
from llama_mapper.contracts.wire import Token

from .bundles import Bundle
from .rego import RegoPolicy

PROVENANCE = {"provenance": "true"}
_WORD: TypeAdapter[str] = TypeAdapter(Token)
_ANSWERED: ContextVar[str | None] = ContextVar("opa_revision", default=None)
"""The revision that OPA gave this request's last answer from."""


def opa_client(url: str, seconds: float) -> httpx.AsyncClient:
    """A client that versions can share; without a proxy from the environment, since a question names the tenant."""
    return httpx.AsyncClient(base_url=url, timeout=seconds, transport=httpx.AsyncHTTPTransport())


class OpaPolicy(RegoPolicy):
    """*url* is OPA's, on the loopback: a question waits for its answer, and others are asked meanwhile.

    *policies* is what OPA was started with: it gives the version, and a policy that does not compile ends the start
    here too. OPA that is late, away or undecided is an answer of "no". Where OPA says which bundle it answers from,
    that is the version: it follows its bundles by itself, and two questions of one request may meet two versions.

    Raises:
        BrokenBundle: as for RegoPolicy.
    """

    engine: ClassVar[Literal["in_process", "opa"]] = "opa"

    def __init__(
        self, policies: Path | Bundle, url: str, seconds: float, client: httpx.AsyncClient | None = None
    ) -> None:
        super().__init__(policies)
        self._client = client or opa_client(url, seconds)

    @property
    def version(self) -> str:
        return self._with_layers(_ANSWERED.get() or self.bundle.version)

    async def ready(self) -> bool:
        """Whether OPA answers; with files as its bundle it listens only once they are loaded."""
        try:
            return (await self._client.get("/health")).status_code == 200
        except httpx.HTTPError:
            return False

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _evaluate(self, name: str, question: Mapping[str, Any]) -> Any:
        try:
            response = await self._client.post(
                f"/v1/data/llama_mapper/{name}/{name}", json={"input": question}, params=PROVENANCE
            )
        except httpx.HTTPError as error:
            raise Unavailable(f"OPA does not answer what the {name} policy says") from error
        if response.status_code != 200:
            raise Unavailable(f"the {name} policy cannot be evaluated")
        try:
            # A rule that is undefined is 200 with no result.
            answer = response.json()
            _ANSWERED.set(_revision(answer.get("provenance")))
            return answer.get("result")
        except (ValueError, AttributeError) as error:
            raise Unavailable(f"the {name} policy gives no answer") from error


def _revision(provenance: Any) -> str | None:
    """The revision of OPA's only bundle, where it has one and it is a word."""
    bundles = provenance.get("bundles") if isinstance(provenance, dict) else None
    revisions = [bundle.get("revision") for bundle in bundles.values()] if isinstance(bundles, dict) else []
    try:
        return _WORD.validate_python(revisions[0]) if len(revisions) == 1 else None
    except ValidationError:
        return None
