"""Fit the head on MiniLM windows, choose its threshold on held-out benign texts, write weights and result.

A long jailbreak has many harmless windows. So only the highest-scoring window of an attack counts as one, and which
that is, is decided again after each fit. Run from the repository root:

    PYTHONPATH=.:shared:inference-services/injection python -m injection_training.train --packages DIR
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# The head is right for this embedder and these windows alone, so it trains on the very code that will feed it.
from functions.detect.minilm import MiniLM, embedder_version
from injection_training.data import BURIED, SOURCES, Source, buried, read, shingles

Floats = NDArray[np.float64]

VERSION = "1.0.0"
TEXTS_PER_SOURCE = 300
RIDGE = 1.0
ROUNDS = 4
NEWTON_STEPS = 30
FALSE_POSITIVE_RATE = 0.01
MAX_COPIED = 0.2
HEAD = Path("functions/detect/detectors/minilm_injection_head.json")
RESULT = Path("inference-services/injection/result.json")


@dataclass(frozen=True, slots=True)
class Embedded:
    source: Source
    texts: list[Floats]  # one (windows, 384) for each text


@dataclass(frozen=True, slots=True)
class Head:
    weights: Floats
    bias: float

    def score(self, windows: Floats) -> float:
        return float(1 / (1 + np.exp(-(windows @ self.weights + self.bias).max())))


def fit(vectors: Floats, attack: NDArray[np.bool_], weight: Floats) -> Head:
    """Logistic regression by Newton's method, both classes weighing the same, ridge on all but the bias."""
    inputs = np.hstack([vectors, np.ones((len(vectors), 1))])
    weight = np.where(attack, weight / weight[attack].sum(), weight / weight[~attack].sum()) * len(vectors) / 2
    penalty = np.full(inputs.shape[1], RIDGE)
    penalty[-1] = 1e-6
    beta = np.zeros(inputs.shape[1])
    for _ in range(NEWTON_STEPS):
        predicted = 1 / (1 + np.exp(-inputs @ beta))
        gradient = inputs.T @ (weight * (predicted - attack)) + penalty * beta
        curvature = (inputs * (weight * predicted * (1 - predicted))[:, None]).T @ inputs + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        beta -= step
        if np.abs(step).max() < 1e-6:
            break
    return Head(beta[:-1], float(beta[-1]))


def train(parts: Sequence[Embedded]) -> Head:
    """A source of n examples weighs as the root of n: seven hundred role plays must not drown thirty short attacks."""
    benign = [part for part in parts if not part.source.attack]
    windows = np.concatenate([w for part in benign for w in part.texts])
    attacks = [(w, part) for part in parts if part.source.attack for w in part.texts]
    counts = [sum(map(len, part.texts)) for part in benign]
    weight = np.concatenate([np.full(n, n**-0.5) for n in counts] + [[len(part.texts) ** -0.5] for _, part in attacks])
    attack = np.arange(len(weight)) >= len(windows)
    chosen = np.stack([w.mean(axis=0) for w, _ in attacks])
    head = fit(np.concatenate([windows, chosen]), attack, weight)
    for _ in range(ROUNDS - 1):
        chosen = np.stack([w[int((w @ head.weights).argmax())] for w, _ in attacks])
        head = fit(np.concatenate([windows, chosen]), attack, weight)
    return head


def threshold(head: Head, benign: Sequence[Embedded]) -> float:
    scores = [head.score(w) for part in benign for w in part.texts]
    return float(np.quantile(scores, 1 - FALSE_POSITIVE_RATE))


def embed(model: MiniLM, source: Source, texts: Sequence[str]) -> Embedded:
    windows = [w for w in (model.windows(text) for text in texts) if w]
    return Embedded(source, [model.embed(w).astype(np.float64) for w in windows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path, required=True)
    packages: Path = parser.parse_args().packages
    model = MiniLM(threads=1)
    texts = {source: read(source, packages, TEXTS_PER_SOURCE) for source in SOURCES}
    learnt = {s for source, found in texts.items() if source.part == "train" for t in found for s in shingles(t)}
    for source, found in texts.items():
        if source.part == "held-out":
            texts[source] = [t for t in found if len(shingles(t) & learnt) <= MAX_COPIED * len(shingles(t))]
    texts[BURIED] = buried(texts)
    parts = []
    for source, found in texts.items():
        parts.append(embed(model, source, found))
        sys.stderr.write(f"{source.part:9}{source.name:34}{len(found):5} texts\n")
    head = train([p for p in parts if p.source.part == "train"])
    held_out = [p for p in parts if p.source.part == "held-out"]
    cut = round(threshold(head, [p for p in held_out if not p.source.attack]), 4)
    _write(head, cut, parts)


def _write(head: Head, cut: float, parts: Sequence[Embedded]) -> None:
    rows = [
        {
            "source": p.source.name,
            "attack": p.source.attack,
            "part": p.source.part,
            "texts": len(p.texts),
            "windows": sum(map(len, p.texts)),
            "flagged": round(sum(head.score(w) >= cut for w in p.texts) / max(1, len(p.texts)), 4),
        }
        for p in parts
    ]
    about = {
        "version": VERSION,
        "embedder": embedder_version(),
        "seed": None,
        "threshold": cut,
        "threshold_rule": "1 % of held-out benign texts are flagged",
    }
    sources = [f"{r['source']} ({r['part']}, {r['texts']} texts)" for r in rows]
    weights = [round(float(w), 4) for w in head.weights]
    HEAD.write_text(json.dumps({**about, "sources": sources, "bias": round(head.bias, 4), "weights": weights}) + "\n")
    RESULT.write_text(json.dumps({**about, "sources": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
