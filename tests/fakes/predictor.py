"""An OpenAI-compatible completions server that says what a test wants, and a predictor port."""

import json
import math
import random
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


def lying(request: httpx.Request) -> httpx.Response:
    """Any letter or none, in any shape, as the prompt's hash decides: nothing of it may reach the caller unchecked."""
    chance = random.Random(request.content)
    weird: list[Any] = [float("nan"), 1e308, -1e308, "high", None, [], {}]
    shares = {letter: chance.uniform(0.001, 0.2) for letter in chance.sample("ABCDEFGHZ", chance.randint(1, 9))}
    marks = {mark: chance.uniform(0.001, 0.5) for mark in chance.sample("=<>~", chance.randint(1, 4))}
    answer = answered(shares, marks)
    logprobs = answer["choices"][0]["logprobs"]
    match chance.randrange(12):
        case 0:
            return httpx.Response(chance.choice([400, 404, 422, 429, 500, 503]), json={"error": "no"})
        case 1:
            logprobs["top_logprobs"][chance.randrange(2)] = {" A": chance.choice(weird)}
        case 2:
            logprobs["top_logprobs"] = logprobs["top_logprobs"][: chance.randrange(2)]
        case 3:
            answer["usage"] = {"prompt_tokens": chance.choice([-1, 10**30, *weird])}
        case 4:
            answer["choices"] = chance.choice([[], None, [None], [{}], "A="])
        case 5:
            logprobs["top_logprobs"] = [{"SAFETY_NEGATIVE.NONE": -0.1}, {"hello": -0.1}]
        case 6:
            return httpx.Response(200, content=chance.choice([b"", b"null", b"[]", b"{", b"\xff", b"0"]))
    return httpx.Response(200, content=json.dumps(answer).encode())


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
