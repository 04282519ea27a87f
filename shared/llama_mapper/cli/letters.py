"""What `llama-mapper dead-letters` asks the broker, and how it shows the answers."""

import asyncio
import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .services import ServiceRefused, Services

PAGE = 1000
NOT_FOUND = 404
OUR_EVENTS = "io.llama-mapper."

Letter = dict[str, Any]


class Letters:
    """The dead letters of the broker at *url*."""

    def __init__(self, url: str) -> None:
        self._url = url

    def page(
        self, limit: int, trigger: str | None, event_type: str | None, status: int | None, before: str | None = None
    ) -> list[Letter]:
        """Return the newest *limit* of those asked for, newest first.

        Raises:
            ServiceRefused: no answer, or a problem.
        """
        asked = {"limit": limit, "trigger": trigger, "event_type": event_type, "error_code": status, "before": before}
        params = {name: str(value) for name, value in asked.items() if value is not None}
        found: list[Letter] = self._ask("GET", "", params)["dead_letters"]
        return found

    def ids(self, trigger: str | None, event_type: str | None, status: int | None) -> list[str]:
        """Return the ids of all that are asked for, oldest first, as they were when each page was read."""
        found: list[str] = []
        while page := self.page(PAGE, trigger, event_type, status, found[-1] if found else None):
            found += [letter["id"] for letter in page]
            if len(page) < PAGE:
                break
        return found[::-1]

    def one(self, letter: str) -> Letter:
        found: Letter = self._ask("GET", f"/{letter}", {})
        return found

    def end(self, letters: Sequence[str], done: str, *, gone_is_fine: bool, each: Callable[[str], None]) -> int:
        """Have *letters* ``replayed`` or ``discarded`` one by one, call *each* after it; returns how many were there.

        Raises:
            ServiceRefused: no answer, or a problem; also that one was gone, unless that is fine.
        """

        async def work() -> int:
            known = 0
            async with Services("demo") as services:
                for letter in letters:
                    url = f"{self._url}/dead-letters/{letter}"
                    try:
                        await services.ask(*(("POST", f"{url}/replay") if done == "replayed" else ("DELETE", url)))
                    except ServiceRefused as refused:
                        if gone_is_fine and refused.status == NOT_FOUND:
                            continue
                        raise
                    each(letter)
                    known += 1
            return known

        return asyncio.run(work())

    def _ask(self, method: str, path: str, params: dict[str, str]) -> Any:
        async def ask() -> Any:
            async with Services("demo") as services:
                answer = await services.ask(method, f"{self._url}/dead-letters{path}", params=params)
                return answer.json()

        return asyncio.run(ask())


def print_list(letters: Sequence[Letter]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "at (UTC)"):  # a broken id cannot be copied
        table.add_column(heading, no_wrap=True)
    for heading in ("trigger", "event", "status", "tries"):
        table.add_column(heading, overflow="fold")
    for letter in letters:
        at = str(letter["at"])[:19].replace("T", " ")
        trigger, event = letter["trigger"].rpartition("/")[2], letter["event_type"].removeprefix(OUR_EVENTS)
        row = (letter["id"], at, trigger, event, letter["error_code"], letter["deliveries"])
        table.add_row(*(Text(str(value)) for value in row))
    Console().print(table)


def print_one(letter: Letter) -> None:
    """All that is kept, the answer that ended the deliveries as text; the event's data are never shown."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    facts = {
        "id": letter["id"],
        "at": letter["at"],
        "trigger": letter["trigger"],
        "subscriber": letter["error_destination"],
        "event": f"{letter['event_type']} {letter['event_id']} from {letter['event_source']}",
        "tenant": letter["tenant_id"],
        "correlation id": letter["correlation_id"],
        "deliveries": letter["deliveries"],
        "last answer": letter["error_code"],
        "it said": _decoded(letter["error_data"]),
        "data kept": f"{letter['data_bytes']} bytes",
    }
    for name, value in facts.items():
        if value not in (None, ""):
            table.add_row(name, Text(str(value)))
    Console().print(table)


def _decoded(error_data: str) -> str:
    """The answer's body as text, without what could steer a terminal."""
    try:
        text = base64.b64decode(error_data, validate=True).decode("utf-8", "replace")
    except binascii.Error:
        return ""
    return "".join(character if character.isprintable() else " " for character in text)
