"""``POST /v1/moderations`` as OpenAI's clients know it, answered by our detectors and policies."""

import asyncio
import uuid
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Request, Response
from pydantic import Field

from llama_mapper.chassis import correlation
from llama_mapper.contracts.analysis import CanonicalFinding
from llama_mapper.contracts.identifiers import AnyRequestId, TenantId
from llama_mapper.contracts.orchestration import Coverage, Decision, OrchestrateRequest, OrchestrateResponse
from llama_mapper.contracts.problems import ContentTooLarge, FieldError, InvalidRequest
from llama_mapper.contracts.wire import MAX_CONTENT_CHARACTERS, Confidence, Consumed, Content, Token, Wire

from ..accounting import count
from ..entrance.answering import IdempotencyKey, answered
from ..entrance.gate import Admitted, Gate
from ..entrance.idempotency import Idempotency
from ..service import Orchestrator
from .categories import CATEGORIES, Category, scores
from .errors import PATH, OpenAiError, OpenAiErrors

SURE = 0.5
"""A category is said to be there from this confidence on; what is done about it is the decision's."""
STATUSES = (400, 401, 403, 404, 405, 408, 409, 413, 422, 429, 500, 502, 503)


class TextPart(Consumed):
    type: Literal["text"]
    text: Content


class ImagePart(Consumed):
    """Taken in only to be refused by its name; the address of the image is not read."""

    type: Literal["image_url"]


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]


class ModerationRequest(Consumed):
    """A text, several texts, or one content in parts; *model* is theirs to name and not ours to heed."""

    input: (
        Content
        | Annotated[tuple[Content, ...], Field(min_length=1, max_length=100)]
        | Annotated[tuple[Part, ...], Field(min_length=1, max_length=100)]
    )
    model: str | None = Field(default=None, max_length=128)


class Extension(Wire):
    """What we know beyond OpenAI's answer. Spans count in the text; parts are one text, a line each."""

    request_id: AnyRequestId
    decision: Decision
    findings: tuple[CanonicalFinding, ...]
    coverage: Coverage
    degraded: tuple[Token, ...] = ()


class ModerationResult(Wire):
    """``flagged`` is everything that the decision does not allow, personal data and secrets included."""

    flagged: bool
    categories: dict[Category, bool]
    category_scores: dict[Category, Confidence]
    category_applied_input_types: dict[Category, tuple[Literal["text"], ...]]
    llama_mapper: Extension


class ModerationResponse(Wire):
    id: Token
    model: Token
    results: tuple[ModerationResult, ...]


def contents(request: ModerationRequest) -> tuple[str, ...]:
    """Return the texts to be judged, one a result.

    Raises:
        InvalidRequest: there is an image.
        ContentTooLarge: the parts together are longer than one content may be.
    """
    if isinstance(request.input, str):
        return (request.input,)
    texts: list[str] = []
    whole = False
    for place, part in enumerate(request.input):
        if isinstance(part, ImagePart):
            error = FieldError(field=f"input.{place}.type", message="images are not judged here; send text")
            raise InvalidRequest("images are not judged here; send text", errors=(error,))
        whole = whole or isinstance(part, TextPart)
        texts.append(part.text if isinstance(part, TextPart) else part)
    if not whole:
        return tuple(texts)
    joined = "\n".join(texts)
    if len(joined) > MAX_CONTENT_CHARACTERS:
        raise ContentTooLarge(f"the parts together may have at most {MAX_CONTENT_CHARACTERS} characters")
    return (joined,)


def result(answer: OrchestrateResponse) -> ModerationResult:
    found = scores(answer.findings)
    return ModerationResult(
        flagged=answer.decision.action != "allow",
        categories={category: score >= SURE for category, score in found.items()},
        category_scores=found,
        category_applied_input_types=dict.fromkeys(CATEGORIES, ("text",)),
        llama_mapper=Extension(
            request_id=answer.request_id,
            decision=answer.decision,
            findings=answer.findings,
            coverage=answer.coverage,
            degraded=answer.degraded,
        ),
    )


async def moderate(
    orchestrator: Orchestrator, request: ModerationRequest, tenant_id: TenantId, slots: asyncio.Semaphore, known: bool
) -> ModerationResponse:
    """Judge every text, as many at once as *slots* allows; one that cannot be judged is the whole request's problem."""

    async def judge(text: str) -> OrchestrateResponse:
        async with slots:
            asked = OrchestrateRequest(content=text)
            answer = await orchestrator.judge(asked, tenant_id, correlation.current(), known)
        count(answer)
        return answer

    tasks = [asyncio.create_task(judge(text)) for text in contents(request)]
    try:
        answers = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()  # after one problem, the others' answers go nowhere
    return ModerationResponse(
        id=f"modr-{uuid.uuid4().hex}",
        model=f"llama-mapper-{answers[0].versions.taxonomy}",
        results=tuple(result(answer) for answer in answers),
    )


def add_moderations(
    app: FastAPI, gate: Gate, orchestrator: Orchestrator, slots: asyncio.Semaphore, idempotency: Idempotency | None
) -> None:
    """Add the resource, and OpenAI's shape for its problems."""
    app.add_middleware(OpenAiErrors)
    use = Depends(gate.needs("orchestrate:use"))

    @app.post(
        PATH,
        tags=["orchestrate"],
        response_model=ModerationResponse,
        responses={status: {"model": OpenAiError} for status in STATUSES},
    )
    async def moderations(
        body: ModerationRequest,
        admitted: Annotated[Admitted, use],
        request: Request,
        key: IdempotencyKey = None,
    ) -> Response:
        """Judge texts as OpenAI's moderation API does; `llama_mapper` holds our findings and decision."""

        async def judge() -> tuple[int, ModerationResponse]:
            return 200, await moderate(
                orchestrator.under(admitted.policy), body, admitted.tenant_id, slots, admitted.authenticated
            )

        return await answered(idempotency, key, admitted.tenant_id, request, judge)
