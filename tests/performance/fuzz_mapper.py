"""Hostile labels against the real model: every answer valid, or a problem that names the field; no attack wins.

usage: PYTHONPATH=inference-services/mapper .venv/bin/python -m tests.performance.fuzz_mapper URL [labels] [seed]

Known words without an attack first, then every attack on each of them, then noise until there are as many labels.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

import httpx

from llama_mapper.contracts.mapping import MapBatchResponse, Mapping
from llama_mapper.taxonomy import Taxonomy, load
from tests.fakes.hostile import Hostile, attacks, noise, plain, sent
from tests.performance.serving import mapper

FIELDS = {"label", "description"}
AT_ONCE = 50


def answers(url: str, items: Sequence[Hostile]) -> Iterator[tuple[Hostile, Any]]:
    """Each item with its mapping or the fields its problem names; a status above 499 ends the run."""
    with httpx.Client(timeout=300) as http:
        for start in range(0, len(items), AT_ONCE):
            part = items[start : start + AT_ONCE]
            answer = http.post(
                f"{url}/api/v1/map/batch", content=sent(*part), headers={"content-type": "application/json"}
            )
            if answer.status_code == 413 and len(part) > 1:  # too large together: one by one
                for item in part:
                    yield from answers(url, [item])
                continue
            if answer.status_code != 200:
                raise SystemExit(f"{answer.status_code}: {answer.text[:200]}")
            for item, row in zip(part, MapBatchResponse.model_validate_json(answer.content).results, strict=True):
                yield item, row.mapping or {error.field for error in (row.problem.errors if row.problem else ())}
            print(f"\r{start + len(part)} of {len(items)}", end="", file=sys.stderr)


def valid(mapping: Mapping, taxonomy: Taxonomy) -> bool:
    return all(one.label in taxonomy for one in mapping.labels)


def main(predictor: str, count: int, seed: int) -> None:
    taxonomy = load()
    counts: Counter[str] = Counter()
    honest: dict[str, Mapping] = {}
    items = list(islice(chain(plain(), attacks(), noise(seed)), count))
    won = []
    with mapper(predictor, MAPPER_MAX_BYTES="1048576") as url:
        for item, found in answers(url, items):
            if not isinstance(found, Mapping):
                counts["refused, field named" if found and found <= FIELDS else "refused, field not named"] += 1
                continue
            counts["answered, labels of the taxonomy" if valid(found, taxonomy) else "answered, not valid"] += 1
            counts[f"by {found.method}"] += 1
            if item.word and item.target is None:
                honest[item.word] = found
            elif item.word:
                outcome = judged(item, found, honest[item.word])
                counts[f"attack: {outcome}"] += 1
                won += [(item, found)] if outcome == "won" else []
    print(f"\n| of {len(items)} labels, seed {seed} | count | share |\n|---|---|---|")
    for name, number in sorted(counts.items()):
        print(f"| {name} | {number} | {number / len(items):.4f} |")
    for item, found in won:
        top = found.labels[0]
        print(f"won: {item.label!r} {item.description!r} -> {top.label} {top.confidence} {found.method}")


def judged(item: Hostile, found: Mapping, honest: Mapping) -> str:
    """What an attack came to: ``won`` where the answer is what it asked for and the plain word's is not."""
    target = (item.target or "").partition(".")[0]
    got, plainly = found.labels[0].label, honest.labels[0].label
    if got == plainly:
        return "same answer as without it"
    if found.negative or (got.partition(".")[0] == target and got != "OTHER.Unknown"):
        return "won"
    return "nothing claimed" if got == "OTHER.Unknown" else "another answer"


if __name__ == "__main__":
    main(
        sys.argv[1],
        int(sys.argv[2]) if len(sys.argv) > 2 else 10_000,
        int(sys.argv[3]) if len(sys.argv) > 3 else 20261123,
    )
