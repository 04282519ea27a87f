"""JSON log lines that cannot carry content: named events with fields from a closed list; all else is dropped.

A line of a library keeps its logger, level and source line only: a library's message may quote what it was given.
Exceptions keep their type and place, never their text.
"""

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

from . import correlation, tracing

FIELDS = frozenset(
    {
        "action", "attempts", "bytes", "controls", "count", "decision_id", "detector", "detectors",
        "duration_ms", "error", "error_code", "event_type", "findings", "function", "input_sha256", "labels",
        "method", "missing", "model", "obligations", "path", "policy_version", "port", "reason", "reasons",
        "risk_level", "route", "rows", "service", "status", "store", "subscriber", "tenant", "trigger",
        "version",
    }
)  # fmt: skip
MAX_WORDS = 64
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+-]{0,127}")
_EVENT = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+")
OWN = ("llama_mapper", "functions", "mapper_serving", "main")


def get_logger(name: str) -> logging.Logger:
    """Return a logger whose messages are event names, for instance ``findings.mapped``."""
    return logging.getLogger(name if name.split(".", 1)[0] in OWN else f"llama_mapper.{name}")


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "correlation_id": correlation.current(),
        }
        if trace := tracing.trace_id():
            line["trace_id"] = trace
        if record.name.split(".", 1)[0] in OWN:
            line["event"] = record.msg if isinstance(record.msg, str) and _EVENT.fullmatch(record.msg) else "log"
            line |= {key: value for key, value in vars(record).items() if key in FIELDS and _is_plain(value)}
        else:
            line |= {"event": "library.log", "logger": record.name, "at": f"{record.module}:{record.lineno}"}
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])
            line["at"] = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames[-6:]))
        return json.dumps(line, ensure_ascii=True)


def _is_plain(value: object) -> bool:
    """A number, a short text, or a list of words: reasons are codes, and prose has spaces."""
    if isinstance(value, tuple):
        return len(value) <= MAX_WORDS and all(isinstance(word, str) and _WORD.fullmatch(word) for word in value)
    return isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 160)


def configure(service: str, level: str = "INFO") -> None:
    """Send every logger of the process through the scrubbing formatter to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "httpx", "kserve"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(logging.WARNING)
