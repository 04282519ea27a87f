"""The services behind the pages."""

import asyncio
from collections.abc import Mapping
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, RootModel, ValidationError

from llama_mapper.chassis import correlation
from llama_mapper.contracts.identifiers import RequestId, TenantId
from llama_mapper.contracts.mapping import Mapping as MappingResult
from llama_mapper.contracts.mapping import MapRequest
from llama_mapper.contracts.orchestration import OrchestrateRequest, OrchestrateResponse
from llama_mapper.contracts.problems import ProblemDocument
from llama_mapper.contracts.records import DeadLetters, RecordedFindings, RecordedRequests, Summary
from llama_mapper.contracts.reviews import ReviewItem

HEALTH_SECONDS = 1.0

Answer = TypeVar("Answer", bound=BaseModel)


class Refused(Exception):
    """A service gave no usable answer: ``message`` is for the reader, ``document`` what the service said of it."""

    def __init__(self, message: str, document: ProblemDocument | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.document = document


class ReviewList(RootModel[tuple[ReviewItem, ...]]):
    """The mapper's answer, a plain list."""


class Services:
    """Calls the parts at *urls* (orchestrate, analyze, mapper, record) for one tenant."""

    def __init__(
        self, urls: Mapping[str, str], tenant: TenantId, client: httpx.AsyncClient, timeout_seconds: float
    ) -> None:
        self._urls = {name: url.rstrip("/") for name, url in urls.items()}
        self._tenant = tenant
        self._client = client
        self._timeout_seconds = timeout_seconds

    async def health(self) -> dict[str, bool]:
        """Say of every part whether it answers."""
        answers = await asyncio.gather(*(self._healthy(url) for url in self._urls.values()))
        return dict(zip(self._urls, answers, strict=True))

    async def summary(self) -> Summary:
        return await self._ask("record", "/api/v1/summary", Summary)

    async def requests(self, limit: int) -> RecordedRequests:
        return await self._ask("record", f"/api/v1/requests?limit={limit}", RecordedRequests)

    async def dead_letters(self, limit: int) -> DeadLetters:
        return await self._ask("record", f"/api/v1/dead-letters?limit={limit}", DeadLetters)

    async def findings(self, request_id: RequestId) -> RecordedFindings:
        return await self._ask("record", f"/api/v1/findings?request_id={request_id}", RecordedFindings)

    async def judge(self, request: OrchestrateRequest) -> OrchestrateResponse:
        return await self._ask("orchestrate", "/api/v1/orchestrate", OrchestrateResponse, request)

    async def map(self, request: MapRequest) -> MappingResult:
        return await self._ask("mapper", "/api/v1/map", MappingResult, request)

    async def reviews(self, limit: int) -> tuple[ReviewItem, ...]:
        """The labels that wait for a person, most frequent first."""
        return (await self._ask("mapper", f"/api/v1/reviews?limit={limit}", ReviewList)).root

    async def _healthy(self, url: str) -> bool:
        try:
            return (await self._client.get(f"{url}/health", timeout=HEALTH_SECONDS)).status_code == 200
        except httpx.HTTPError:
            return False

    async def _ask(self, name: str, path: str, answer: type[Answer], body: BaseModel | None = None) -> Answer:
        """GET, or POST where there is a *body*.

        Raises:
            Refused: no answer, a problem, or an answer in another shape.
        """
        headers = {"X-Tenant-ID": self._tenant, correlation.HEADER: correlation.current()}
        content: dict[str, Any] = {}
        if body is not None:
            headers["Content-Type"] = "application/json"
            content["content"] = body.model_dump_json(exclude_none=True)
        try:
            response = await self._client.request(
                "GET" if body is None else "POST",
                self._urls[name] + path,
                headers=headers,
                timeout=self._timeout_seconds,
                **content,
            )
        except httpx.TimeoutException as error:
            raise Refused(f"{name} did not answer within {self._timeout_seconds:g} s") from error
        except httpx.HTTPError as error:
            raise Refused(f"{name} does not answer; is it running?") from error
        try:
            if response.status_code >= 400:
                document = ProblemDocument.model_validate_json(response.content)
                raise Refused(f"{name}: {document.detail}", document)
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            raise Refused(f"{name} answered ({response.status_code}) in a shape this release does not know") from error
