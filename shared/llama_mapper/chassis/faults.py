"""Pydantic's faults as field errors: a path is shown as far as it is made of our own names.

What a caller invents (an unknown field, a key of an open mapping) never shows, because an error body travels on into
logs and dead letters.
"""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from llama_mapper.contracts.problems import FieldError
from llama_mapper.contracts.wire import Consumed, Wire

_PARAMETERS = frozenset({"query", "header", "path", "cookie"})  # followed by a name of our signature


def field_errors(faults: Iterable[Any], whole: str = "(body)") -> tuple[FieldError, ...]:
    """Return one error a fault; *whole* is the name for a fault of the entire value."""
    ours = _names(Wire) | _names(Consumed)
    errors = (FieldError(field=_path(fault, ours)[:120] or whole, message=_message(fault)) for fault in faults)
    return tuple(dict.fromkeys(errors))


def named(errors: Iterable[FieldError]) -> str:
    """The fields of *errors* in one line, each once."""
    return ", ".join(dict.fromkeys(error.field for error in errors))


def _path(fault: Any, ours: frozenset[str]) -> str:
    place = list(fault["loc"])
    if place[:1] == ["body"]:
        del place[0]
    unknown = fault["type"] == "extra_forbidden"
    if unknown:  # the last part is the caller's own key, even where it is spelled like a field of ours
        del place[-1:]
    shown = [str(part) for part in place[:2]] if place and place[0] in _PARAMETERS else []
    if not shown:
        for part in place:
            if isinstance(part, str) and part not in ours:
                break
            shown.append(str(part))
    return ".".join([*shown, *(["(unknown field)"] if unknown else ["(key)"] if "[key]" in place else [])])


def _message(fault: Any) -> str:
    return "not a field of this request" if fault["type"] == "extra_forbidden" else str(fault["msg"])[:160]


def _names(model: type[BaseModel]) -> frozenset[str]:
    own = frozenset(name for field, info in model.model_fields.items() for name in (field, info.alias or field))
    return own.union(*(_names(child) for child in model.__subclasses__()))
