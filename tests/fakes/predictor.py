"""An OpenAI-compatible completions server that says what a test wants, and a predictor port."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from mapper_serving.completion import Completion

URL = "http://predictor"


def answered(letters: Mapping[str, float], marks: Mapping[str, float] | None = None) -> dict[str, Any]:
    """A completion as vLLM gives it, with these probabilities for its two tokens."""
    tops = [{f" {token}": math.log(share) for token, share in letters.items()}]
    if marks:
        tops.append({token: math.log(share) for token, share in marks.items()})
    return {"choices": [{"text": " A=", "logprobs": {"top_logprobs": tops}}], "usage": {"prompt_tokens": 90}}


def serving(*answers: httpx.Response | Exception) -> tuple[httpx.AsyncClient, list[httpx.Request]]:
    """A client whose server gives *answers* in turn, the last one for ever, and the requests it got."""
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        answer = answers[min(len(asked), len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return httpx.AsyncClient(transport=httpx.MockTransport(handle)), asked


@dataclass
class SayingPredictor:
    """Gives one completion, whatever is asked, and keeps the prompts."""

    completion: Completion
    model: str = "mapper-llm"
    prompts: list[str] = field(default_factory=list)

    def start(self) -> None:
        """It is always warm."""

    async def ask(self, prompt: str, candidates: int) -> Completion:
        self.prompts.append(prompt)
        letters = (self.completion.letters + (0.0,) * candidates)[:candidates]
        return self.completion.model_copy(update={"letters": letters})
