"""A trained experiment as it goes into the registry: ``adapter/`` with card and record, ``result.json`` beside it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from llama_mapper.contracts.models import (
    CARD,
    RANKER,
    RECORD,
    WEIGHTS,
    AdapterCard,
    MadeFrom,
    Manifest,
    ModelFile,
    TrainingRecord,
)

from . import figures, model_card
from .errors import Unpublishable

ADAPTER_CONFIG, METRICS, MODEL_CARD = "adapter_config.json", "metrics.json", "model_card.md"
# Small files first: two uploads of one version that differ meet before the weights have travelled.
ORDER = (CARD, ADAPTER_CONFIG, RECORD, METRICS, MODEL_CARD, RANKER, WEIGHTS)

Read = TypeVar("Read", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Bundle:
    """What will be uploaded. ``manifest`` follows from ``files`` alone, so trying again gives the same bytes."""

    manifest: Manifest
    files: Mapping[str, bytes]

    @property
    def version(self) -> str:
        return self.manifest.version

    def signed_bytes(self) -> bytes:
        return (self.manifest.model_dump_json(indent=2) + "\n").encode()


def bundle(folder: Path, taxonomy: str | None = None) -> Bundle:
    """Read the experiment in *folder*.

    Args:
        taxonomy: the version it was trained with, where the training's record does not say it.

    Raises:
        Unpublishable: a file is missing or wrong, the weights are not the card's, or no taxonomy version is known.
    """
    inside = (CARD, ADAPTER_CONFIG, RECORD, RANKER, WEIGHTS)
    names = {name: f"adapter/{name}" for name in inside} | {METRICS: "result.json"}
    files = {name: _bytes(folder, where) for name, where in names.items()}
    card, record = _parse(files, CARD, AdapterCard), _parse(files, RECORD, TrainingRecord)
    config = _object(files, ADAPTER_CONFIG)
    for name, digest in ((WEIGHTS, card.weights_sha256), (RANKER, card.ranker_sha256)):
        if hashlib.sha256(files[name]).hexdigest() != digest:
            raise Unpublishable(f"adapter/{name} is not the one of {CARD}: write the card again")
    if card.prompt != record.prompt:
        raise Unpublishable(f"{CARD} and {RECORD} name two prompts")
    made_from = _made_from(record, config, taxonomy)
    measured = figures.read(_object(files, METRICS))
    files[MODEL_CARD] = model_card.write(card, record, made_from, config, measured).encode()
    manifest = Manifest(
        version=card.version,
        made_from=made_from,
        metrics=measured.headline(),
        files=tuple(_entry(name, files[name]) for name in sorted(files)),
    )
    return Bundle(manifest, {name: files[name] for name in ORDER})


def _made_from(record: TrainingRecord, config: Mapping[str, object], taxonomy: str | None) -> MadeFrom:
    if record.taxonomy and taxonomy not in (None, record.taxonomy):
        raise Unpublishable(f"{RECORD} says that the taxonomy was {record.taxonomy}")
    if not (record.taxonomy or taxonomy):
        raise Unpublishable(f"{RECORD} names no taxonomy version: state it (--taxonomy)")
    peft = config.get("peft_version")
    libraries = record.libraries or ({"peft": peft} if isinstance(peft, str) else {})
    try:
        return MadeFrom(
            base=record.base,
            revision=record.revision,
            base_sha256=record.base_sha256,
            data=record.data,
            taxonomy=record.taxonomy or taxonomy or "",
            prompt=record.prompt,
            libraries=libraries,
        )
    except ValidationError as error:
        raise Unpublishable("a version has characters that no version has") from error


def _bytes(folder: Path, where: str) -> bytes:
    try:
        return (folder / where).read_bytes()
    except OSError as error:
        raise Unpublishable(f"{folder.name} has no readable {where}") from error


def _parse(files: Mapping[str, bytes], name: str, model: type[Read]) -> Read:
    try:
        return model.model_validate_json(files[name])
    except ValidationError as error:
        fields = ", ".join(sorted({str((*fault["loc"], "the file")[0]) for fault in error.errors()}))
        raise Unpublishable(f"{name} is wrong: check {fields}") from error


def _object(files: Mapping[str, bytes], name: str) -> Mapping[str, object]:
    try:
        found = json.loads(files[name])
    except ValueError as error:
        raise Unpublishable(f"{name} is not JSON") from error
    if not isinstance(found, dict):
        raise Unpublishable(f"{name} is not a JSON object")
    return found


def _entry(name: str, data: bytes) -> ModelFile:
    return ModelFile(name=name, size=len(data), sha256=hashlib.sha256(data).hexdigest())
