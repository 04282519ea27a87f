"""The mapper's review queue, as `llama-mapper review` asks it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from llama_mapper.contracts.reviews import ReviewedLabel, ReviewItem, ReviewRequest

from .services import Services, running

ONE, SEVERAL = TypeAdapter(ReviewItem), TypeAdapter(tuple[ReviewItem, ...])
T = TypeVar("T")


class Queue:
    """The review queue of *tenant*, wherever the mapper answers.

    Raises:
        ServiceRefused: it does not answer, or answers with a problem.
    """

    def __init__(self, tenant: str, url: str | None, run_dir: Path | None) -> None:
        self._tenant = tenant
        self._url = url
        self._run_dir = run_dir

    def listed(self, limit: int, state: str = "waiting", scope: str = "tenant") -> tuple[ReviewItem, ...]:
        return self._ask(SEVERAL, "GET", f"?limit={limit}&state={state}&scope={scope}")

    def one(self, review_id: str) -> ReviewItem:
        return self._ask(ONE, "GET", f"/{review_id}")

    def decide(self, review_id: str, request: ReviewRequest) -> ReviewItem:
        return self._ask(ONE, "POST", f"/{review_id}", request.model_dump(mode="json", exclude_none=True))

    def _ask(self, answer: TypeAdapter[T], method: str, path: str, body: object = None) -> T:
        async def ask() -> bytes:
            async with Services(self._tenant) as services:
                base = (self._url or running("mapper", self._run_dir)).rstrip("/")
                return (await services.ask(method, f"{base}/api/v1/reviews{path}", json=body)).content

        return answer.validate_json(asyncio.run(ask()))


def meant(item: ReviewItem, names: Sequence[str], relation: str | None) -> tuple[ReviewedLabel, ...]:
    """*names* with their relations: the one given, else what the model said of a candidate, else exact.

    Raises:
        ValidationError: a name is none that a canonical label can have.
    """
    return tuple(ReviewedLabel.model_validate({"label": n, "relation": relation or suggested(item, n)}) for n in names)


def suggested(item: ReviewItem, name: str) -> str:
    """The relation that the model gave the candidate *name*, if it gave one."""
    return next((found.relation for found in item.candidates if found.label == name and found.relation), "exact")
