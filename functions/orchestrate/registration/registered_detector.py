"""A registration, made ready to be asked: by detect's contract or by a ready adapter, over guarded connections."""

import asyncio
import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from purgatory import AsyncCircuitBreakerFactory
from pydantic import ValidationError

from llama_mapper.chassis.settings import SettingsError
from llama_mapper.contracts.detection import DetectorInfo, DetectorReport
from llama_mapper.contracts.identifiers import DetectorId
from llama_mapper.contracts.problems import FieldError, Unprocessable
from llama_mapper.contracts.registration import DetectorDefinition, Origin

from ..detectors.breakers import breakers as in_memory
from ..detectors.http_adapter import Adapter, read_adapter, vocabulary_editions, vocabulary_words
from ..detectors.http_detectors import HttpDetectors
from ..detectors.http_expressions import Evaluation
from ..detectors.http_setup import HttpDetector, Ready, make_ready
from ..detectors.slots import Slots
from .outbound import ConnectWithin
from .registrations import Kept

KEY = "DETECTOR_KEY"
CONTRACT: dict[str, Any] = {
    "name": "detect-contract",
    "reference": "shared/llama_mapper/contracts/detection.py",
    "family": "classifiers",
    "options": {"detector": None, "version": None, "timeout_seconds": None},
    "request": {
        "path": "/",
        "body": {"content": "{content}", "detectors": ["{detector}"], "timeout_seconds": "{timeout_seconds}"},
    },
    "response": {
        "expects": [
            "reports[0].detector == option('detector')",
            # A finding names the version that was registered: who answers as another is not the one that was taken.
            "reports[0].version == option('version')",
            "reports[0].status == 'ok'",
            "type(reports[0].detections) == 'array'",
        ],
        "findings": [
            {"each": f"reports[0].detections[?{span} && {severity}]", "label": "label", "score": "score"}
            | ({} if span.startswith("!") else {"span": {"start": "span.start", "end": "span.end"}})
            | ({} if severity.startswith("!") else {"severity": "severity"})
            for span in ("span", "!span")
            for severity in ("severity", "!severity")
        ],
    },
}


def refused(field: str, message: str) -> Unprocessable:
    return Unprocessable(f"check: {field}", errors=(FieldError(field=field, message=message),))


@dataclass(frozen=True, slots=True)
class Workshop:
    """What registrations are made ready with."""

    transport: httpx.AsyncBaseTransport
    adapters: tuple[Path, ...]
    vocabularies: Path
    breakers: AsyncCircuitBreakerFactory = field(default_factory=lambda: in_memory(None))

    async def open(self) -> None:
        """Read the vocabularies, beside the requests: it takes a quarter of a second, once."""
        await asyncio.to_thread(vocabulary_words, self.vocabularies)

    def make(self, kept: Kept, origin: Origin, owner: str) -> "RegisteredDetector":
        """Check what can be checked without a call; *owner*'s detectors have breakers of their own.

        Raises:
            Unprocessable: an adapter, option, key or vocabulary does not fit; the field is named.
        """
        ready = self._by_adapter(kept) if kept.definition.adapter else self._by_contract(kept)
        if self.vocabularies.is_dir():  # an image of this function alone holds none; in a cluster they are mounted
            self._mapped(ready.vocabulary, kept.definition.vocabulary_version)
        return RegisteredDetector(kept, origin, ready, self.transport, self.breakers, owner)

    def _mapped(self, vocabulary: str, version: str) -> None:
        if vocabulary not in vocabulary_words(self.vocabularies):
            raise refused("vocabulary", "vocabulary.unknown: the mapper has none of this name")
        if version == "unknown" and vocabulary_editions(self.vocabularies)[vocabulary] > 1:
            raise refused("vocabulary_version", "vocabulary.several: it has several editions; say which")

    def _by_contract(self, kept: Kept) -> Ready:
        said = kept.definition
        document = dict(CONTRACT)
        if kept.api_key:
            document["request"] = {**CONTRACT["request"], "headers": {"X-API-Key": "{secret}"}}
        adapter = Adapter.model_validate({**document, "family": said.family})
        words = {"detector": said.id, "version": said.version, "timeout_seconds": said.timeout_seconds}
        return Ready(
            said=_settings(kept),
            adapter=adapter,
            vocabulary=said.vocabulary or "",
            edition=said.vocabulary_version,
            info=_info(said),
            words=words,
            url=said.url,
            secret=kept.api_key.get_secret_value() if kept.api_key else None,
            signer=None,
            evaluate=Evaluation(words),
            slots=Slots(said.id, said.concurrency),
            health_url=None,
        )

    def _by_adapter(self, kept: Kept) -> Ready:
        said = kept.definition
        found = [path for folder in self.adapters if (path := folder / f"{said.adapter}.yaml").is_file()]
        if not found:
            raise refused("adapter", "adapter.unknown: docs/detectors.md lists them")
        adapter = read_adapter(found[-1])
        if set(said.options) - set(adapter.options):
            raise refused("options", f"options.unknown: the adapter takes {', '.join(sorted(adapter.options))}")
        missing = [name for name, value in adapter.options.items() if value is None and name not in said.options]
        if missing:
            raise refused("options", f"options.missing: {missing[0]}")
        if kept.api_key is None and (adapter.needs_secret or adapter.signing):
            # Without a key of its own a signing adapter would use whatever AWS lets this pod do.
            raise refused("api_key", "api_key.missing: the adapter needs one")
        if said.vocabulary is None and adapter.vocabulary is None:
            raise refused("vocabulary", "vocabulary.missing: the adapter serves many")
        environment = {KEY: kept.api_key.get_secret_value()} if kept.api_key else {}
        try:
            ready = make_ready(said.id, _settings(kept), self.adapters, self.vocabularies, environment)
        except SettingsError:
            raise refused("adapter", "adapter.unfit: its labels, options or key do not fit") from None
        return replace(ready, info=_info(said))


class RegisteredDetector:
    """One detector of a tenant, of the platform or of the cluster; its breaker is its own, until it changes."""

    def __init__(
        self,
        kept: Kept,
        origin: Origin,
        ready: Ready,
        transport: httpx.AsyncBaseTransport,
        breakers: AsyncCircuitBreakerFactory,
        owner: str,
    ) -> None:
        self.kept, self.origin, self.info = kept, origin, ready.info
        self.vocabulary = DetectorId(ready.vocabulary)
        self._definition = kept.definition
        self._client = httpx.AsyncClient(transport=ConnectWithin(transport, self._definition.connect_timeout_seconds))
        circuits = {ready.info.id: _circuit(kept, owner)}
        self._http = HttpDetectors.of({ready.info.id: ready}, self._client, breakers, circuits)

    async def detect(self, content: str, seconds: float) -> DetectorReport:
        """Ask it.

        Raises:
            RequestTimeout, Unavailable, DetectorOverloaded, DetectorCommunicationFailed
        """
        return await self._http.detect(self.info.id, content, min(seconds, self._definition.timeout_seconds))

    @cached_property
    def _health_url(self) -> str | None:
        if self._definition.adapter:
            return None
        url = urlsplit(self._definition.url)
        return f"{url.scheme}://{url.netloc}{self._definition.health_path}"

    async def healthy(self) -> bool:
        """Whether it says so; a vendor's API has no such resource and counts as healthy."""
        if self._health_url is None:
            return True
        try:
            answer = await self._client.get(self._health_url, timeout=self._definition.connect_timeout_seconds)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200


def _circuit(kept: Kept, owner: str) -> str:
    """The same in every replica, and another one for each tenant and change."""
    said = f"{kept.changed_at.isoformat()} {kept.definition.model_dump_json()}"
    return f"own:{owner}:{kept.definition.id}:{hashlib.sha256(said.encode()).hexdigest()[:16]}"


def _settings(kept: Kept) -> HttpDetector:
    said = kept.definition
    try:
        return HttpDetector.model_validate(
            {
                "adapter": said.adapter or "detect-contract",
                "url": said.url,
                "secret_env": KEY if kept.api_key else None,
                "options": {name: list(value) if isinstance(value, tuple) else value
                            for name, value in said.options.items()} if said.adapter else {},
                "vocabulary": said.vocabulary,
                "vocabulary_version": said.vocabulary_version,
                "version": said.version,
                "family": said.family,
                "at_least": said.at_least,
                "concurrency": said.concurrency,
            }
        )  # fmt: skip
    except ValidationError:
        raise refused("url", "url.unfit: https, or http to a Service of the cluster") from None


def _info(said: DetectorDefinition) -> DetectorInfo:
    return DetectorInfo(id=said.id, version=said.version, family=said.family, loaded=True)
