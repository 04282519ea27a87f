"""The fields of Broker and Trigger manifests that this broker understands, and their reading from files.

Anything a manifest says that this broker would not do is refused at start, with its file and field: better no local
run than one that differs in silence from the deployed wiring.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from .filters import Filter

DnsLabel = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class WiringError(SystemExit):
    """The manifests cannot be run as they are; the message names file and field."""


def _iso_8601(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith("P"):  # pydantic alone would take 00:00:05 as well
        raise ValueError("not an ISO 8601 duration such as PT0.2S")
    return value


Duration = Annotated[timedelta, BeforeValidator(_iso_8601), Field(ge=timedelta(0))]


class Manifest(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True
    )


class Metadata(BaseModel):
    name: DnsLabel
    namespace: DnsLabel | None = None


class TriggerAnnotations(BaseModel):
    """The annotations that say how a Trigger delivers; others are for other readers."""

    order: Literal["ordered", "unordered"] = Field(
        default="unordered", alias="kafka.eventing.knative.dev/delivery.order"
    )


class TriggerMetadata(Metadata):
    annotations: TriggerAnnotations = TriggerAnnotations()


class Reference(Manifest):
    api_version: str
    kind: str
    name: DnsLabel
    namespace: DnsLabel | None = None


class Destination(Manifest):
    ref: Reference | None = None
    uri: str | None = None

    @model_validator(mode="after")
    def _somewhere(self) -> "Destination":
        if self.ref is None and not (self.uri and urlsplit(self.uri).scheme in ("http", "https")):
            raise ValueError("needs a ref or an absolute http uri")
        return self


class DeliverySpec(Manifest):
    """How an event is delivered. Without ``backoffPolicy`` and ``backoffDelay`` retries follow at once, as upstream."""

    retry: int = Field(default=0, ge=0)
    backoff_policy: Literal["linear", "exponential"] | None = None
    backoff_delay: Duration = timedelta(0)
    timeout: Duration | None = None
    retry_after_max: Duration | None = None
    dead_letter_sink: Destination | None = None


# Knative's own defaults (config-br-defaults), for a Broker that says nothing about delivery.
DEFAULT_DELIVERY = DeliverySpec(retry=10, backoff_policy="exponential", backoff_delay="PT0.2S")


class BrokerSpec(Manifest):
    config: dict[str, Any] | None = None
    delivery: DeliverySpec = DEFAULT_DELIVERY


class TriggerSpec(Manifest):
    broker: DnsLabel
    filters: tuple[Filter, ...] = ()
    subscriber: Destination
    delivery: DeliverySpec | None = None


class BrokerManifest(Manifest):
    api_version: Literal["eventing.knative.dev/v1"]
    kind: Literal["Broker"]
    metadata: Metadata
    spec: BrokerSpec = BrokerSpec()


class TriggerManifest(Manifest):
    api_version: Literal["eventing.knative.dev/v1"]
    kind: Literal["Trigger"]
    metadata: TriggerMetadata
    spec: TriggerSpec


M = TypeVar("M", bound=Manifest)


def documents(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    kustomization = folder / "kustomization.yaml"
    for listed in _yaml(kustomization):
        for resource in listed.get("resources") or ():
            path = folder / str(resource)
            if path.is_dir():
                yield from documents(path)
            elif path.is_file():
                yield from ((path, document) for document in _yaml(path))
            else:
                refuse(kustomization, "resources", f"there is no {path.name}")


def _yaml(file: Path) -> list[dict[str, Any]]:
    try:
        documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        refuse(file, "(file)", "is not there")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        refuse(file, f"line {mark.line + 1}" if mark else "(file)", "is not YAML")
    return [document for document in documents if isinstance(document, dict)]


def read(model: type[M], file: Path, document: Mapping[str, Any]) -> M:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        faults = [f"{file}: {'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()]
        raise WiringError("eventing cannot be run as written:\n  " + "\n  ".join(faults)) from None


def refuse(file: Path, field: str, why: str) -> NoReturn:
    raise WiringError(f"eventing cannot be run as written:\n  {file}: {field}: {why}")
