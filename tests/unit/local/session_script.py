"""A whole run of stand-ins, as a process of its own: `session_script.py RUN_DIR JOURNAL PORT...`."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from llama_mapper.local import readiness
from llama_mapper.local.directory import RunDirectory
from llama_mapper.local.layout import Part
from llama_mapper.local.refusal import CannotRun
from llama_mapper.local.session import Session
from llama_mapper.local.state import PartState, RunState
from llama_mapper.local.supervisor import Patience


@dataclass(frozen=True)
class Plan:
    directory: RunDirectory
    journal: Path
    ports: tuple[int, ...]

    def parts(self) -> tuple[Part, ...]:
        return tuple(self._part(number, port) for number, port in enumerate(self.ports))

    def _part(self, number: int, port: int) -> Part:
        stand_in = Path(__file__).with_name("stand_in.py")
        flags = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
        return Part(
            name=f"part{number}",
            port=port,
            command=(sys.executable, "-S", str(stand_in), str(port), str(self.journal), *flags),
            environment={},
            probe=readiness.http(port),
            log=self.directory.logs / f"part{number}.log",
        )


class Lines:
    def changed(self, part: PartState) -> None:
        """Not shown."""

    def say(self, line: str) -> None:
        self._print(line)

    def up(self, run: RunState) -> None:
        self._print(f"up {len(run.parts)}")

    def stopping(self) -> None:
        self._print("stopping")

    def _print(self, line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


arguments = sys.argv[1 : sys.argv.index("--")] if "--" in sys.argv else sys.argv[1:]
plan = Plan(RunDirectory(Path(arguments[0])), Path(arguments[1]), tuple(int(port) for port in arguments[2:]))
try:
    asyncio.run(Session(plan, Lines(), Patience(start=20, stop=60)).run())
except CannotRun as error:
    sys.exit(f"error: {error}")
