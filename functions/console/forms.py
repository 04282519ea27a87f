"""Forms as browsers send them, made into the contracts' requests."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from pydantic import ValidationError

from llama_mapper.contracts.mapping import MapRequest
from llama_mapper.contracts.orchestration import OrchestrateRequest
from llama_mapper.contracts.problems import InvalidRequest

MAX_FIELDS = 32
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


class Form:
    """The fields of an ``application/x-www-form-urlencoded`` body; blank ones count as not given."""

    def __init__(self, body: bytes) -> None:
        try:
            pairs = parse_qsl(body.decode("utf-8"), max_num_fields=MAX_FIELDS)
        except ValueError:
            raise InvalidRequest("the form could not be read") from None
        self._pairs = [(name, value) for name, value in pairs if value.strip()]

    def one(self, name: str) -> str | None:
        return next((value for field, value in self._pairs if field == name), None)

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(value for field, value in self._pairs if field == name)


class FormError(Exception):
    """A form cannot be sent as it is; ``faults`` is field -> what to change."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__(", ".join(faults))
        self.faults = faults


def judgement(form: Form) -> OrchestrateRequest:
    """Read the form of /try.

    Raises:
        FormError: no text, or too much of it.
    """
    fields: dict[str, Any] = {"content": form.one("content") or ""}
    if families := form.all("family"):
        fields["detector_types"] = families
    try:
        return OrchestrateRequest.model_validate(fields)
    except ValidationError as error:
        raise FormError(_faults(error)) from None


def finding(form: Form) -> MapRequest:
    """Read the form of /map; a severity or score that is a number is sent as one.

    Raises:
        FormError: a field is missing or does not fit.
    """
    names = ("detector", "detector_version", "label", "description", "severity", "score")
    fields: dict[str, Any] = {name: value for name in names if (value := form.one(name)) is not None}
    for name in ("severity", "score"):
        if _NUMBER.fullmatch(fields.get(name, "")):
            fields[name] = float(fields[name])
    try:
        return MapRequest.model_validate(fields)
    except ValidationError as error:
        raise FormError(_faults(error)) from None


def _faults(error: ValidationError) -> dict[str, str]:
    """The first fault of each field; pydantic's words name the rule, never the value."""
    found: dict[str, str] = {}
    for fault in error.errors(include_url=False, include_input=False):
        found.setdefault(str(fault["loc"][0]), fault["msg"].removeprefix("Value error, "))
    return found
