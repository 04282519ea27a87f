"""Detectors behind a vendor's JSON API: an adapter says how to ask and how to read, the settings where and by what key.

A vendor's answer can quote the content: neither it nor anything of it goes into an error or a log.
"""

import asyncio
import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from opentelemetry.trace import SpanKind
from purgatory import AsyncCircuitBreakerFactory

from llama_mapper.chassis import correlation, tracing
from llama_mapper.chassis.calls import Transient, insist
from llama_mapper.contracts.detection import Detection, DetectorInfo, DetectorReport, Span
from llama_mapper.contracts.identifiers import DetectorId
from llama_mapper.contracts.problems import (
    DetectorCommunicationFailed,
    DetectorOverloaded,
    Problem,
    Unavailable,
)

from .http_adapter import check_edition, filled
from .http_reading import Reading, read
from .http_setup import HttpDetector, Ready, key_of, line, make_ready
from .probes import Probe, connecting, probing

MAX_ANSWER_BYTES = 2 * 1024 * 1024
OVERLAP_CHARACTERS = 200
"""What two parts of a long content share: longer than any name or number that one cut could halve."""
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+-]{0,127}")


class HttpDetectors:
    """*said* is the setting; adapters lie in *folders*, a later one before an earlier one.

    Raises:
        SettingsError: an adapter is wrong, or does not fit what the setting says of it; file and field are named.
    """

    def __init__(
        self,
        said: Mapping[DetectorId, HttpDetector],
        client: httpx.AsyncClient,
        breakers: AsyncCircuitBreakerFactory,
        folders: tuple[Path, ...],
        vocabularies: Path,
        environment: Mapping[str, str],
    ) -> None:
        self._client = client
        self._breakers = breakers
        self._circuits: Mapping[DetectorId, str] = {}
        self._ready = {name: make_ready(name, one, folders, vocabularies, environment) for name, one in said.items()}
        for name, ready in self._ready.items():
            check_edition(f"ORCHESTRATION_HTTP_DETECTORS: {name}", ready.vocabulary, ready.edition, vocabularies)

    @classmethod
    def of(
        cls,
        ready: Mapping[DetectorId, Ready],
        client: httpx.AsyncClient,
        breakers: AsyncCircuitBreakerFactory,
        circuits: Mapping[DetectorId, str],
    ) -> "HttpDetectors":
        """Of detectors that are ready already, each with the name of its breaker."""
        made = cls({}, client, breakers, (), Path(), {})
        made._circuits = circuits
        made._ready = dict(ready)
        return made

    @property
    def infos(self) -> tuple[DetectorInfo, ...]:
        return tuple(ready.info for ready in self._ready.values())

    @property
    def probes(self) -> dict[str, Probe]:
        """How to see whether each is there: its health resource, or a connection."""
        return {name: _probe(self._client, ready) for name, ready in self._ready.items()}

    @property
    def vocabularies(self) -> dict[DetectorId, DetectorId]:
        return {name: DetectorId(ready.vocabulary) for name, ready in self._ready.items()}

    @property
    def vocabulary_versions(self) -> dict[DetectorId, str]:
        return {name: ready.edition for name, ready in self._ready.items() if ready.edition}

    async def detect(self, detector: DetectorId, content: str, seconds: float) -> DetectorReport:
        """Ask one API, in parts where the content is longer than it takes.

        Raises:
            RequestTimeout, Unavailable, DetectorOverloaded, DetectorCommunicationFailed
        """
        ready = self._ready[detector]
        deadline = time.monotonic() + max(0.05, seconds)
        parts = _parts(content, ready.adapter.max_characters)
        named: tracing.Attributes = {"http.request.method": ready.adapter.request.method, "server.address": detector}
        started = time.monotonic()
        try:
            with tracing.span(f"{ready.adapter.request.method} {detector}", SpanKind.CLIENT, named):
                async with ready.slots.admitted(), asyncio.TaskGroup() as group:
                    tasks = [group.create_task(self._part(detector, ready, content[a:b], deadline)) for a, b in parts]
        except BaseExceptionGroup as failed:  # the first part that fails ends the others
            raise _problem(failed) from None
        readings = [task.result() for task in tasks]
        return DetectorReport(
            detector=detector,
            version=ready.said.version or _version(readings) or ready.adapter.version,
            family=ready.info.family,
            status="ok",
            detections=_joined(readings, [start for start, _ in parts]),
            windows=len(parts),
            latency_ms=round((time.monotonic() - started) * 1000, 1),
        )

    async def _part(self, detector: str, ready: Ready, content: str, deadline: float) -> Reading:
        body = json.dumps(filled(ready.adapter.request.body, {**ready.words, "content": content})).encode()

        async def once(_: float) -> bytes:
            return await self._once(detector, ready, body)

        answer = await insist(
            detector,
            once,
            self._breakers,
            seconds=deadline - time.monotonic(),
            attempts=ready.said.attempts,
            slot=ready.slots.taken,
            circuit=self._circuits.get(ready.info.id, f"http.{detector}"),
        )
        return read(ready.adapter, _parsed(detector, answer), content, ready.evaluate, ready.said.at_least)

    async def _once(self, detector: str, ready: Ready, body: bytes) -> bytes:
        rule = ready.adapter.request
        secret = key_of(ready.said.secret_file) if ready.said.secret_file else ready.secret
        words = {**ready.words, "secret": secret}
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            correlation.HEADER: correlation.current(),
        }
        headers |= {name: line(value, words) for name, value in rule.headers.items()}
        if ready.signer:
            headers = await asyncio.to_thread(ready.signer.sign, rule.method, ready.url, body, headers)
        request = self._client.build_request(rule.method, ready.url, content=body, headers=headers, timeout=None)
        try:
            response = await self._client.send(request, stream=True, follow_redirects=False)
            try:
                _judge(detector, response)
                return await _bounded(detector, response)
            finally:
                await response.aclose()
        except httpx.HTTPError:
            raise Transient(detector) from None


def _probe(client: httpx.AsyncClient, ready: Ready) -> Probe:
    if ready.health_url is None:
        return connecting(ready.url)
    return probing(client, ready.health_url)


def _judge(detector: str, response: httpx.Response) -> None:
    status = response.status_code
    if status == 429:
        stated = response.headers.get("retry-after", "")
        wait = min(int(stated), 3600) if stated.isascii() and stated.isdigit() and len(stated) < 9 else 1
        raise DetectorOverloaded(f"{detector} takes no more for now", retry_after_seconds=max(1, wait))
    if status >= 500:
        raise Transient(detector)
    if status in (401, 403):
        raise Unavailable(f"{detector} does not take our key")
    if status != 200:  # a redirect too: content goes where the settings say and nowhere else
        raise Unavailable(f"{detector} refused the request")


async def _bounded(detector: str, response: httpx.Response) -> bytes:
    answer = bytearray()
    async for chunk in response.aiter_bytes(65_536):
        answer += chunk
        if len(answer) > MAX_ANSWER_BYTES:
            raise DetectorCommunicationFailed(f"{detector} answered too much")
    return bytes(answer)


def _parsed(detector: str, answer: bytes) -> Any:
    try:
        return json.loads(answer, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise DetectorCommunicationFailed(f"{detector} answered something that is not JSON") from None


def _no_number(text: str) -> Any:
    raise ValueError("not a JSON number")


def _parts(content: str, size: int) -> list[tuple[int, int]]:
    if len(content) <= size:
        return [(0, len(content))]
    step = size - min(OVERLAP_CHARACTERS, size // 2)
    return [(start, min(start + size, len(content))) for start in range(0, len(content) - size + step, step)]


def _joined(readings: list[Reading], starts: list[int]) -> tuple[Detection, ...]:
    """All detections on the whole content; one without a place is said once, at its best score."""
    joined: dict[tuple[str, int, int], Detection] = {}
    for reading, start in zip(readings, starts, strict=True):
        for one in reading.detections:
            span = Span(start=one.span.start + start, end=one.span.end + start) if one.span else None
            moved = one.model_copy(update={"span": span})
            key = (one.label, span.start, span.end) if span else (one.label, -1, -1)
            if key not in joined or joined[key].score < moved.score:
                joined[key] = moved
    return tuple(joined.values())


def _version(readings: list[Reading]) -> str | None:
    """The version that the vendor states, where it is a version and not prose."""
    stated = readings[0].version
    return stated if stated and _TOKEN.fullmatch(stated) else None


def _problem(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    first = failed.exceptions[0]
    return first if isinstance(first, Problem) else failed
