"""Score an experiment on vendors it has never seen: ``python -m mapper_training.score EXPERIMENT --folds 0``.

What the models say is kept under ``.cache/training``, so that measures can be changed without asking again. The result
stands in ``experiments/<name>/result.json``.
"""

import argparse
import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llama_mapper.contracts.confidence import FEATURES, Scored

from . import metrics, systems
from .base_model import CACHE, prepare, sha256
from .data import Posed, nonsense, report, training_examples
from .inference import Model, without_model
from .merge import WEIGHTS
from .metrics import Outcome
from .setting import EXPERIMENTS, TEST_LIMIT, Setting, open_setting
from .split import family
from .systems import Fitting
from .train import read_plan

log = logging.getLogger("mapper_training.score")
THRESHOLD = 0.6
WANTED_COVERAGE = 0.85
NONSENSE = 100
Said = dict[str, list[Scored]]


class Part:
    """The posed examples of one fold: vendors to calibrate on, vendors to test, and nonsense for each."""

    def __init__(self, setting: Setting, fold: int, kind_told: float) -> None:
        parts = setting.split(str(fold))
        self.calibrate = setting.held_out(parts.calibrate, kind_told)
        self.calibrate += setting.pose(nonsense(40, seed=101, test=False)[-40:], kind_told)
        self.test = setting.held_out(parts.test, kind_told)
        self.nonsense = setting.pose(nonsense(NONSENSE, seed=202, test=True), kind_told)

    def all(self) -> list[Posed]:
        return [*self.calibrate, *self.test, *self.nonsense]

    def cut(self, scored: Sequence[Scored]) -> Said:
        first, second = len(self.calibrate), len(self.calibrate) + len(self.test)
        return {
            "calibrate": list(scored[:first]),
            "test": list(scored[first:second]),
            "nonsense": list(scored[second:]),
        }


def ask(part: Part, base: Path, adapter: Path | None, kept: Path, candidates: int, threads: int) -> Said:
    """Return the model's answers for *part*, from *kept* if that holds this model's answers to the same prompts."""
    posed = part.all()
    prompts = [p.prompt for p in posed]
    weights = sha256(adapter / WEIGHTS) if adapter else None
    if kept.is_file():
        stored = json.loads(kept.read_text("utf-8"))
        if stored["prompts"] == prompts and stored.get("adapter") == weights:
            return part.cut([Scored.model_validate(s) for s in stored["scored"]])
    scored = Model(base, adapter, threads).score(posed, candidates)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(
        json.dumps({"prompts": prompts, "adapter": weights, "scored": [s.model_dump() for s in scored]}), "utf-8"
    )
    return part.cut(scored)


def answers(part: Part, said: Said | None, zero_shot: Said | None) -> tuple[dict[str, dict[str, list[Outcome]]], Any]:
    """Return the outcomes of every system on test and nonsense, and what was fitted on all that was held out."""
    plain = part.cut([without_model(p) for p in part.all()])
    ways: dict[str, tuple[systems.Making, Said]] = {
        "exact": (lambda _: systems.exact, plain),
        "fuzzy": (lambda _: systems.fuzzy, plain),
        "nearest": (lambda _: systems.nearest, plain),
        "nearest_calibrated": (lambda fitting: systems.stacked(systems.retrieval(fitting)), plain),
    }
    fitted: dict[str, Any] = {"nearest_calibrated": systems.retrieval(_pool(part, plain)).model_dump()}
    if zero_shot:
        ways["zero_shot"] = (lambda fitting: systems.letter(fitting.temperature()), zero_shot)
    if said:
        ways["model_letter"] = (lambda fitting: systems.letter(fitting.temperature()), said)
        ways["model_and_retrieval"] = (lambda fitting: systems.stacked(systems.model_and_retrieval(fitting)), said)
        pool = _pool(part, said)
        fitted["temperature"] = pool.temperature()
        fitted["model_and_retrieval"] = systems.model_and_retrieval(pool).model_dump()
    found = {}
    for name, (making, answered) in ways.items():
        pool = _pool(part, answered)
        found[name] = {
            "test": systems.crossed(making, pool, Fitting(part.test, answered["test"])),
            "nonsense": systems.outcomes(making(pool), part.nonsense, answered["nonsense"]),
        }
    return found, fitted


def _pool(part: Part, said: Said) -> Fitting:
    return Fitting([*part.calibrate, *part.test], [*said["calibrate"], *said["test"]])


def measure(test: list[Outcome], noise: list[Outcome]) -> dict[str, Any]:
    equal = metrics.threshold_for(test, WANTED_COVERAGE)
    return {
        "macro_f1": round(metrics.over_vendors(test, metrics.macro_f1), 4),
        "accuracy_by_vendor": round(metrics.over_vendors(test, metrics.accuracy), 4),
        "accuracy": round(metrics.accuracy(test), 4),
        "hierarchical_f1": round(metrics.over_vendors(test, metrics.hierarchical_f1), 4),
        "at_coverage": {
            "coverage": round(metrics.coverage(test, equal), 4),
            "precision": round(metrics.precision(test, equal), 4),
            "macro_f1_of_covered": round(_f1_of_covered(test, equal), 4),
            "nonsense_abstained": round(metrics.abstained(noise, equal), 4),
        },
        "at_threshold": {
            "threshold": THRESHOLD,
            "coverage": round(metrics.coverage(test, THRESHOLD), 4),
            "coverage_by_vendor": round(metrics.over_vendors(test, lambda o: metrics.coverage(o, THRESHOLD)), 4),
            "precision": round(metrics.precision(test, THRESHOLD), 4),
            "macro_f1_of_covered": round(_f1_of_covered(test, THRESHOLD), 4),
            "nonsense_abstained": round(metrics.abstained(noise, THRESHOLD), 4),
        },
        "ece": round(metrics.calibration_error(test), 4),
        "reliability": metrics.reliability(test),
        "risk_coverage": metrics.risk_coverage(test),
    }


def _f1_of_covered(test: list[Outcome], threshold: float) -> float:
    """Macro-F1 by vendor over the words that got a label; vendors of which none did are left out."""
    return metrics.over_vendors([o for o in test if metrics.covered(o, threshold)], metrics.macro_f1)


def relation_accuracy(posed: Sequence[Posed], scored: Sequence[Scored]) -> float:
    """Share of right letters whose relation is right too; 0 where no letter is right."""
    right = total = 0
    for example, said in zip(posed, scored, strict=True):
        chosen, _ = systems.letter()(example, said)
        wanted = dict(example.example.gold)
        if chosen in wanted:
            total += 1
            right += max(said.relations, key=lambda name: said.relations[name]) == wanted[chosen]
    return right / total if total else 0.0


class Tally:
    """What every system answered over the folds asked so far, with the kind told or not."""

    def __init__(self) -> None:
        self.systems: dict[str, dict[str, list[Outcome]]] = {}
        self.unseen: dict[str, list[Outcome]] = {}
        self.relations: list[float] = []
        self.posed: list[Posed] = []
        self.scored: list[Scored] = []

    def add(self, found: dict[str, dict[str, list[Outcome]]], part: Part, known: set[str]) -> None:
        """Add a fold's outcomes; *known* are texts that other vendors or the taxonomy have too."""
        for system, outcomes in found.items():
            kept = self.systems.setdefault(system, {"test": [], "nonsense": []})
            for name in kept:
                kept[name] += outcomes[name]
            fresh = [o for o, p in zip(outcomes["test"], part.test, strict=True) if p.example.text not in known]
            self.unseen.setdefault(system, []).extend(fresh)

    def keep(self, part: Part, said: Said) -> None:
        """Keep what the model said about vendors it had not seen: the served adapter's confidence is fitted on it."""
        self.relations.append(relation_accuracy(part.test, said["test"]))
        self.posed += [*part.calibrate, *part.test]
        self.scored += [*said["calibrate"], *said["test"]]

    def measures(self) -> dict[str, Any]:
        return {
            system: measure(o["test"], o["nonsense"]) | {"unseen_words": _short(self.unseen[system])}
            for system, o in self.systems.items()
        }

    def vendors(self, best: str) -> dict[str, dict[str, float]]:
        nearest = metrics.by_vendor(self.systems["nearest"]["test"])
        return {
            vendor: {
                "words": len(group),
                "nearest": round(metrics.accuracy(nearest[vendor]), 3),
                best: round(metrics.accuracy(group), 3),
            }
            for vendor, group in metrics.by_vendor(self.systems[best]["test"]).items()
        }


def experiment(name: str, numbers: list[int], models: bool, zero_shot: bool, threads: int) -> dict[str, Any]:
    """Ask every fold's model, with the detector's kind told and not, and return the whole result."""
    setting = open_setting()
    recipe = read_plan(EXPERIMENTS / name).recipe
    base = prepare() if models else CACHE
    tallies = {"kind_unknown": Tally(), "kind_told": Tally()}
    result: dict[str, Any] = {"folds": numbers, "words_per_vendor_at_most": TEST_LIMIT}
    for fold in numbers:
        parts = setting.split(str(fold))
        trained = training_examples(setting.vocabularies, setting.taxonomy, parts, recipe)
        result.setdefault("leakage", {})[str(fold)] = report(setting.vocabularies, trained, parts)
        home = CACHE.parent / "training" / name / f"fold{fold}"
        for tag, tally in tallies.items():
            part = Part(setting, fold, float(tag == "kind_told"))
            setting.vectors_done()
            count = setting.framing.candidates
            said = ask(part, base, home / "adapter", home / f"said_{tag}.json", count, threads) if models else None
            plain = models and zero_shot and tag == "kind_unknown"
            bare = ask(part, base, None, home / f"zero_{tag}.json", count, threads) if plain else None
            found, fitted = answers(part, said, bare)
            result.setdefault("fitted", {})[f"{tag}_{fold}"] = fitted
            result.setdefault("recall_of_candidates", {})[f"{tag}_{fold}"] = round(_recall(part.test), 4)
            tally.add(found, part, _known_without(setting, part))
            if said:
                tally.keep(part, said)
    best = "model_and_retrieval" if models else "nearest_calibrated"
    result["systems"] = {tag: tally.measures() for tag, tally in tallies.items()}
    result["vendors"] = {tag: tally.vendors(best) for tag, tally in tallies.items()}
    if models:
        result["relation_accuracy"] = {
            tag: round(sum(tally.relations) / len(tally.relations), 4) for tag, tally in tallies.items()
        }
        together = Fitting(
            [p for tally in tallies.values() for p in tally.posed],
            [s for tally in tallies.values() for s in tally.scored],
        )
        result["serving"] = {
            "features": FEATURES,
            "stack": systems.model_and_retrieval(together).model_dump(),
            "without_model": systems.retrieval(together).model_dump(),
            "temperature": together.temperature(),
            "words": len(together.posed),
        }
    return result


def _known_without(setting: Setting, part: Part) -> set[str]:
    """Texts that the index leads from when the tested vendors are hidden."""
    tested = {family(p.example.vendor) for p in part.test}
    return {entry.text for entry in setting.index.entries if entry.owner not in tested}


def _recall(posed: Sequence[Posed]) -> float:
    meant = [p for p in posed if p.example.gold]
    return sum(any(f.label in p.example.labels for f in p.found) for p in meant) / max(len(meant), 1)


def _short(outcomes: list[Outcome]) -> dict[str, float | int]:
    return {
        "words": len(outcomes),
        "macro_f1": round(metrics.over_vendors(outcomes, metrics.macro_f1), 4),
        "accuracy": round(metrics.accuracy(outcomes), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment")
    parser.add_argument("--folds", default="0")
    parser.add_argument("--baselines-only", action="store_true")
    parser.add_argument("--zero-shot", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    numbers = [int(n) for n in given.folds.split(",")]
    result = experiment(given.experiment, numbers, not given.baselines_only, given.zero_shot, given.threads)
    name = "baselines.json" if given.baselines_only else "result.json"
    path = EXPERIMENTS / given.experiment / name
    path.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    if serving := result.get("serving"):
        (path.parent / "calibration.json").write_text(json.dumps(serving, indent=1) + "\n", "utf-8")
    log.info("wrote %s", path)


if __name__ == "__main__":
    main()
