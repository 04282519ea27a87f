"""The same policies asked of an OPA server beside this process, by OPA's REST API."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from llama_mapper.contracts.problems import Unavailable

from .policy import RegoPolicy


class OpaPolicy(RegoPolicy):
    """*url* is OPA's, on the loopback: a question waits for its answer, and others are asked meanwhile.

    *folder* holds what OPA was started with: it gives the version, and a policy that does not compile ends the start
    here too. OPA that is late, away or undecided is an answer of "no".

    Raises:
        PolicyNotFound: as for RegoPolicy.
    """

    def __init__(self, folder: Path, url: str, seconds: float) -> None:
        super().__init__(folder)
        # No proxy from the environment: a question names the tenant.
        self._client = httpx.AsyncClient(base_url=url, timeout=seconds, transport=httpx.AsyncHTTPTransport())

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
            response = await self._client.post(f"/v1/data/llama_mapper/{name}/{name}", json={"input": question})
        except httpx.HTTPError as error:
            raise Unavailable(f"OPA does not answer what the {name} policy says") from error
        if response.status_code != 200:
            raise Unavailable(f"the {name} policy cannot be evaluated")
        try:
            # A rule that is undefined is 200 with no result.
            return response.json().get("result")
        except (ValueError, AttributeError) as error:
            raise Unavailable(f"the {name} policy gives no answer") from error
