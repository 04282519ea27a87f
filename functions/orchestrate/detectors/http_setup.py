"""One entry of ``ORCHESTRATION_HTTP_DETECTORS``, and what it becomes when the process starts."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import httpx
from pydantic import Field, HttpUrl, JsonValue, StringConstraints, field_validator, model_validator

from llama_mapper.chassis.settings import SettingsError
from llama_mapper.contracts.detection import DetectorInfo, Family
from llama_mapper.contracts.identifiers import AnyDetectorId, DetectorId
from llama_mapper.contracts.problems import Unavailable
from llama_mapper.contracts.wire import Confidence, Token, Wire

from .http_adapter import PLACE, Adapter, Name, check_labels, read_adapter
from .http_expressions import Evaluation
from .http_signing import Signer
from .slots import Slots


class HttpDetector(Wire):
    """One entry of ``ORCHESTRATION_HTTP_DETECTORS``."""

    adapter: AnyDetectorId
    url: HttpUrl
    """What the adapter's path is appended to; https, or http inside the machine or the cluster."""
    secret_env: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,99}$")] | None = None
    secret_file: Path | None = None
    """Read at every call, so that what is mounted can be rotated; AWS's keys at start."""
    options: dict[Name, JsonValue] = {}
    vocabulary: AnyDetectorId | None = None
    vocabulary_version: Token | None = None
    """Which of its editions, where that is not the detector's own version."""
    version: Token | None = None
    family: Family | None = None
    at_least: Confidence | None = None
    concurrency: int = Field(default=8, ge=1, le=256)
    attempts: int = Field(default=3, ge=1, le=5)

    @field_validator("url")
    @classmethod
    def _encrypted(cls, url: HttpUrl) -> HttpUrl:
        if url.query or url.fragment or url.username or url.password:
            raise ValueError("no user, query or fragment in the address")
        if url.scheme != "https" and not _near(url.host or ""):
            raise ValueError("https, or http to this machine or to a Kubernetes Service")
        return url

    @model_validator(mode="after")
    def _one_secret(self) -> "HttpDetector":
        if self.secret_env and self.secret_file:
            raise ValueError("secret_env or secret_file")
        return self


def _near(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith((".svc", ".svc.cluster.local"))


@dataclass(frozen=True, slots=True)
class Ready:
    """One detector with everything that does not change between calls."""

    said: HttpDetector
    adapter: Adapter
    vocabulary: str
    edition: str | None
    """Of the vocabulary; None where the detector's version says it."""
    info: DetectorInfo
    words: Mapping[str, Any]
    url: str
    secret: str | None = field(repr=False)
    signer: Signer | None
    evaluate: Evaluation
    slots: Slots = field(repr=False)
    health_url: str | None = None


def make_ready(
    name: DetectorId,
    said: HttpDetector,
    folders: tuple[Path, ...],
    vocabularies: Path,
    environment: Mapping[str, str],
) -> Ready:
    place = f"ORCHESTRATION_HTTP_DETECTORS: {name}"
    found = [path for folder in folders if (path := folder / f"{said.adapter}.yaml").is_file()]
    if not found:
        raise SettingsError(f"{place}.adapter: no such adapter")
    adapter = read_adapter(found[-1])
    vocabulary = said.vocabulary or adapter.vocabulary
    if vocabulary is None:
        raise SettingsError(f"{place}.vocabulary: the adapter serves many; say which")
    if vocabularies.is_dir():  # an image of this function alone does not hold them
        check_labels(adapter, found[-1], vocabulary, vocabularies)
    # Of a vocabulary that is not the adapter's own no version of the detector is an edition.
    edition = said.vocabulary_version or (None if vocabulary == adapter.vocabulary else "unknown")
    if unknown := sorted(set(said.options) - set(adapter.options)):
        raise SettingsError(f"{place}.options.{unknown[0]}: the adapter has no such option")
    words = {**adapter.options, **said.options}
    if missing := sorted(option for option, value in words.items() if value is None):
        raise SettingsError(f"{place}.options.{missing[0]}: the adapter needs it")
    secret = _secret(place, said, adapter, environment)
    asked = _path(adapter.request.path, words)
    query = {key: line(value, words) for key, value in adapter.request.query.items()}
    url = httpx.URL(str(said.url).rstrip("/") + asked, params=query or None)
    health = str(said.url).rstrip("/") + _path(adapter.health, words) if adapter.health else None
    for header, value in adapter.request.headers.items():
        if not is_line(line(value, {**words, "secret": ""})):
            raise SettingsError(f"{place}.options: what goes into {header} must be plain ASCII on one line")
    if adapter.signing and secret and secret.count(":") not in (1, 2):
        raise SettingsError(f"{place}: the key must be id:secret or id:secret:token")
    signer = Signer(adapter.signing.service, str(words["region"]), secret) if adapter.signing else None
    info = DetectorInfo(
        id=name, version=said.version or adapter.version, family=said.family or adapter.family, loaded=True
    )
    slots = Slots(name, said.concurrency)
    asking = Evaluation(words)
    return Ready(said, adapter, vocabulary, edition, info, words, str(url), secret, signer, asking, slots, health)


def _path(template: str, words: Mapping[str, Any]) -> str:
    return PLACE.sub(lambda hit: quote(str(words[hit.group(1)]), safe=""), template)


def _secret(place: str, said: HttpDetector, adapter: Adapter, environment: Mapping[str, str]) -> str | None:
    if said.secret_file:
        try:
            return key_of(said.secret_file)
        except Unavailable:
            raise SettingsError(f"{place}.secret_file: no key can be read there") from None
    if said.secret_env:
        secret = environment.get(said.secret_env, "").strip()
        if not secret or not is_line(secret):
            raise SettingsError(f"{place}.secret_env: the environment holds no such variable, or no key in it")
        return secret
    if adapter.needs_secret:
        raise SettingsError(f"{place}: the adapter needs secret_env or secret_file")
    return None


def key_of(path: Path) -> str:
    """Read a key.

    Raises:
        Unavailable: it cannot be read, or is none.
    """
    try:
        key = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        key = ""
    if not key or not is_line(key):
        raise Unavailable("the key of a detector cannot be read", retry_after_seconds=5)
    return key


def is_line(text: str) -> bool:
    """Whether *text* can be the value of a header."""
    return text.isascii() and text.isprintable()


def line(value: str, words: Mapping[str, Any]) -> str:
    return PLACE.sub(lambda hit: str(words[hit.group(1)]), value)
