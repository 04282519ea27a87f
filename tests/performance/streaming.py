"""What judging a text while it is written loses and costs: recall at every cut, and the delay of a verdict.

usage: .venv/bin/python -m tests.performance.streaming parity [presidio-research JSON]
       .venv/bin/python -m tests.performance.streaming delay [run directory]

parity: generated texts with personal data and secrets (and, where a file is named, its sentences put together into
texts), judged whole and as a stream by the detectors that look for patterns: cut at every place, with the rest at once
and in pieces of five, and into pieces of 1 to 40 characters. Found means: the same label at the same characters.
delay: the local run, an LLM's answer at 25, 50 and 100 pieces a second: how long after a window's last character was
sent its verdict was read, and how many characters that may be shown lag behind what was sent.
"""

import asyncio
import itertools
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

from functions.detect.discovery import builtin
from functions.detect.service import judge
from functions.detect.settings import Settings
from functions.orchestrate.streams.windows import Cutter, Findings, Sizes, Window, moved
from llama_mapper.client import AsyncLlamaMapper
from llama_mapper.contracts.detection import Detector
from llama_mapper.contracts.mapping import VendorFinding
from llama_mapper.contracts.streams import StreamVerdict
from llama_mapper.local import state
from llama_mapper.local.directory import RunDirectory
from llama_mapper.local.ports import OFFSETS
from tests.fakes.free_ports import free_port
from tests.fakes.orchestration import mapping

ROOT = Path(__file__).parents[2]
PATTERNS = ("llama-mapper-regex", "detect-secrets")
PROSE = (
    "Thank you for your patience while we looked into this.",
    "The order left our house on Monday and should be with you soon.",
    "As you asked, here is what we have on file for you:",
    "Please check it, and tell us what has changed since then!",
    "Is there anything else that we can do for you today?",
    "It can take a day or two, depending on where you live, until it shows",
    "and so the colleagues will call again",
)
Found = set[tuple[str, str, int, int]]


def values(random_: random.Random) -> list[str]:
    """One of each kind, none of them anybody's."""
    letters, digits = "abcdefghjkmnpqrstuvwxyz", "0123456789"

    def some(alphabet: str, count: int) -> str:
        return "".join(random_.choices(alphabet, k=count))

    mixed = letters + letters.upper() + digits
    return [
        f"{some(letters, 6)}.{some(letters, 5)}@{some(letters, 7)}.example.org",
        "4111 1111 1111 1111",
        "DE89 3704 0044 0532 0130 00",
        "GB29NWBK60161331926819",
        f"+49 30 {some(digits, 4)} {some(digits, 4)}",
        "536-90-4399",
        f"192.0.2.{random_.randint(1, 254)}",
        f"AKIA{some('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 16)}",
        f"ghp_{some(mixed, 36)}",
        f"xoxb-{some(digits, 12)}-{some(digits, 12)}-{some(mixed, 24)}",
        f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOi{some(mixed, random_.choice((60, 600, 1500)))}.{some(mixed, 43)}",
        f"https://admin:{some(mixed, 12)}@db.example.org/orders",
        f"password = '{some(mixed, 14)}'",
        f"-----BEGIN RSA PRIVATE KEY-----\n{some(mixed, 64)}\n{some(mixed, 64)}\n-----END RSA PRIVATE KEY-----",
    ]


def generated(random_: random.Random, count: int) -> Iterator[str]:
    for _ in range(count):
        parts = []
        for value in random_.sample(values(random_), 7):
            parts += [*random_.choices(PROSE, k=random_.randint(1, 3)), value]
        yield random_.choice((" ", "\n")).join([*parts, random_.choice(PROSE)])


def sentences(path: Path) -> Iterator[str]:
    texts = [row["full_text"] for row in json.loads(path.read_text("utf-8"))]
    for start in range(0, len(texts), 10):
        yield " ".join(texts[start : start + 10])


class Judge:
    """Each window once: cutting a text elsewhere leaves most of its windows as they were."""

    def __init__(self, detectors: Iterable[Detector]) -> None:
        self._detectors = list(detectors)
        self._known: dict[str, list[VendorFinding]] = {}

    def said(self, text: str) -> list[VendorFinding]:
        if text not in self._known:
            self._known[text] = [
                VendorFinding(
                    detector=one.name, detector_version=one.version, label=d.label, score=d.score, span=d.span
                )
                for one in self._detectors
                for d in (judge(one, text) or ((), 0))[0]
            ]
        return self._known[text]

    def whole(self, text: str) -> Found:
        return _found(self.said(text))

    def streamed(self, pieces: Iterable[str]) -> tuple[Found, int]:
        cutter, findings, windows = Cutter(Sizes()), Findings(), 0

        def look(window: Window) -> None:
            findings.add(moved([(f, mapping(f, "PII")) for f in self.said(window.text)], window), window)

        for piece, last in _with_last(pieces):
            cutter.add(piece)
            while window := cutter.take(ended=last):
                windows += 1
                cutter.release(window.next_start)
                look(window)
        return _found(finding for finding, _ in findings.pairs()), windows

    def forget(self) -> None:
        self._known.clear()


def _with_last(pieces: Iterable[str]) -> Iterator[tuple[str, bool]]:
    waiting = deque(maxlen=1)  # type: deque[str]
    for piece in pieces:
        if waiting:
            yield waiting[0], False
        waiting.append(piece)
    yield waiting[0], True


def _found(said: Iterable[VendorFinding]) -> Found:
    return {(f.detector, f.label, f.span.start, f.span.end) for f in said if f.span}


def pieces(text: str, random_: random.Random) -> Iterator[list[str]]:
    for place in range(1, len(text)):
        yield [text[:place], text[place:]]
        yield [text[:place], *(text[i : i + 5] for i in range(place, len(text), 5))]
    yield list(text)
    for _ in range(20):
        places = [0, *sorted(random_.sample(range(1, len(text)), len(text) // random_.randint(2, 40))), len(text)]
        yield [text[a:b] for a, b in itertools.pairwise(places)]


def parity(texts: Iterable[str]) -> None:
    random_ = random.Random(5)
    judging = Judge(one for one in builtin(Settings()) if one.name in PATTERNS)
    for detector in judging._detectors:
        detector.load()
    rows = {name: [0, 0, 0] for name in PATTERNS}
    cuts = windows = characters = held = 0
    for text in texts:
        expected = judging.whole(text)
        held += len(expected)
        characters += len(text)
        for cut in pieces(text, random_):
            seen, count = judging.streamed(cut)
            cuts, windows = cuts + 1, windows + count
            for name, row in rows.items():
                ours, theirs = ({f for f in found if f[0] == name} for found in (seen, expected))
                row[0] += len(theirs)
                row[1] += len(theirs & ours)
                row[2] += len(ours - theirs)
        judging.forget()
    print(f"{characters} characters with {held} findings, cut in {cuts} ways into {windows} windows\n")
    print("| detector | to find | found | recall against the whole text | only in the stream |\n|---|---|---|---|---|")
    for name, (wanted, found, more) in rows.items():
        print(f"| {name} | {wanted} | {found} | {found / wanted:.4%} | {more} ({more / wanted:.3%}) |")


async def spoken(text: str, rate: float, sent: list[tuple[int, float]]) -> AsyncIterator[str]:
    """*text* in pieces of four characters, *rate* of them a second; notes when each was sent."""
    started = time.perf_counter()
    for number, start in enumerate(range(0, len(text), 4), 1):
        await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
        sent.append((min(start + 4, len(text)), time.perf_counter()))
        yield text[start : start + 4]


async def delays(url: str, rate: float, texts: list[str]) -> str:
    behind: list[float] = []
    lag: list[int] = []
    async with AsyncLlamaMapper(url, tenant="demo") as mapper:
        for text in texts:
            sent: list[tuple[int, float]] = []
            async for line in mapper.stream(spoken(text, rate, sent), priority="low"):
                if isinstance(line, StreamVerdict):
                    at = next(when for end, when in sent if end >= line.span.end)
                    behind.append((time.perf_counter() - at) * 1000)
                    lag.append(line.span.end - line.hold_back)
    quantiles = statistics.quantiles(behind, n=20)
    return (
        f"| {rate:.0f} | {len(behind)} | {statistics.median(behind):.0f} | {quantiles[-1]:.0f} "
        f"| {statistics.median(lag):.0f} |"
    )


async def measured(url: str) -> None:
    random_ = random.Random(7)
    texts = [" ".join(random_.choices(PROSE, k=30)) for _ in range(4)]
    await delays(url, 200, texts[:1])  # the detectors load at their first use
    whole = []
    async with AsyncLlamaMapper(url, tenant="demo") as mapper:
        for number in range(20):
            started = time.perf_counter()
            await mapper.orchestrate(f"{number} {texts[0][:400]}", priority="low")
            whole.append((time.perf_counter() - started) * 1000)
    print(f"a request of 400 characters in the same run: p50 {statistics.median(whole):.0f} ms\n")
    print("| pieces/s | verdicts | p50 ms behind | p95 ms behind | characters held back after a verdict |")
    print("|---|---|---|---|---|")
    for rate in (25, 50, 100):
        print(await delays(url, rate, texts))


def delay(place: Path) -> None:
    cli = [sys.executable, "-m", "llama_mapper.cli"]
    ports = {name: free_port() for name in OFFSETS}
    flags = [word for name, port in ports.items() for word in ("--port", f"{name}={port}")]
    run = ["--run-dir", str(place)]
    subprocess.run([*cli, "up", "--detach", *run, *flags], check=True, cwd=ROOT)
    try:
        assert state.read(RunDirectory(place)) is not None, "it does not run"
        asyncio.run(measured(f"http://127.0.0.1:{ports['orchestrate']}"))
    finally:
        subprocess.run([*cli, "down", *run], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    what, *rest = sys.argv[1:] or ["parity"]
    if what == "parity":
        parity([*generated(random.Random(3), 12), *(sentences(Path(rest[0])) if rest else ())])
    else:
        delay(Path(rest[0]) if rest else Path(tempfile.mkdtemp()))
