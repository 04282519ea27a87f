"""Score an experiment on vendors it has never seen: ``python -m mapper_training.score EXPERIMENT --folds 0,1,2,3,4``.

Every golden case is asked of the fold that neither trained nor ranked on its vendor's family. What the models say is
kept in ``experiments/<name>/answers``, so that measures can be taken again, and checked, without a model. The result
stands in ``experiments/<name>/result.json``, the confidence's weights in ``calibration.json``.
"""

import argparse
import json
import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from llama_mapper.contracts.confidence import FEATURES, READING, Scored

from . import metrics, systems
from .asking import Asking
from .base_model import CACHE
from .data import Asker, Posed, nonsense, report, training_examples
from .inference import without_model
from .measuring import compare, measure
from .metrics import Outcome
from .plan import read_plan
from .setting import EXPERIMENTS, Setting, open_setting
from .split import FOLDS, family
from .systems import Fitting

log = logging.getLogger("mapper_training.score")
NONSENSE_TO_FIT, NONSENSE_TO_TEST = 40, 100
TOLD = {"kind_unknown": 0.0, "kind_told": 1.0}

Watch = Callable[[str, int, int], None]
"""Is told what comes next, how many steps are done, and of how many."""


def silent(what: str, done: int, total: int) -> None:
    """Watch nothing."""


class Part(NamedTuple):
    """One fold's questions: the golden cases of its vendors, words that mean nothing to fit on, and others to test."""

    test: list[Posed]
    noise: list[Posed]
    nonsense: list[Posed]

    def all(self) -> list[Posed]:
        return [*self.test, *self.noise, *self.nonsense]

    def cut(self, scored: Sequence[Scored]) -> "Answers":
        first, second = len(self.test), len(self.test) + len(self.noise)
        return Answers(list(scored[:first]), list(scored[first:second]), list(scored[second:]))


class Answers(NamedTuple):
    """What was said about each question of a ``Part``."""

    test: list[Scored]
    noise: list[Scored]
    nonsense: list[Scored]


def pose(setting: Setting, fold: int, asker: Asker, kind_told: float) -> Part:
    def asked(examples: list[Any]) -> list[Posed]:
        return asker.pose(examples, frozenset(), kind_told)

    return Part(
        asked(setting.golden(setting.split(str(fold)).test)),
        asked(nonsense(NONSENSE_TO_FIT, seed=101, test=False)),
        asked(nonsense(NONSENSE_TO_TEST, seed=202, test=True)),
    )


class Tally:
    """All questions of the folds asked, with the kind told or not, and what each system said about them."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.said: dict[str, list[Answers]] = {}
        self.plain: dict[str, dict[str, list[Outcome]]] = {}

    def add(self, setting: Setting, part: Part, answers: dict[str, Answers]) -> None:
        self.parts.append(part)
        for name, given in answers.items():
            self.said.setdefault(name, []).append(given)
        for group, posed in (("test", part.test), ("nonsense", part.nonsense)):
            for name, found in _baselines(setting, posed).items():
                self.plain.setdefault(name, {}).setdefault(group, []).extend(found)

    def pool(self, name: str) -> Fitting:
        """Everything *name*'s weights may be fitted on: test words (crossed by family) and words that mean nothing."""
        posed = [p for part in self.parts for p in (*part.test, *part.noise)]
        return Fitting(posed, [s for answers in self.said[name] for s in (*answers.test, *answers.noise)])

    def outcomes(self) -> dict[str, dict[str, list[Outcome]]]:
        ways: dict[str, tuple[systems.Making, str]] = {
            "ranker": (lambda fitting: systems.stacked(systems.ranker(fitting)), "plain")
        }
        if "zero_shot" in self.said:
            ways["zero_shot"] = (lambda fitting: systems.letter(fitting.temperature()), "zero_shot")
        if "model" in self.said:
            ways["model_letter"] = (lambda fitting: systems.letter(fitting.temperature()), "model")
            ways["model_and_ranker"] = (lambda fitting: systems.stacked(systems.model_and_ranker(fitting)), "model")
        found = dict(self.plain)
        for name, (making, source) in ways.items():
            pool = self.pool(source)
            test = Fitting(
                [p for part in self.parts for p in part.test], [s for a in self.said[source] for s in a.test]
            )
            noise = [p for part in self.parts for p in part.nonsense]
            said = [s for a in self.said[source] for s in a.nonsense]
            found[name] = {
                "test": systems.crossed(making, pool, test),
                "nonsense": systems.outcomes(making(pool), noise, said),
            }
        return found

    def relations(self) -> float:
        """Share of right letters whose relation is right too."""
        right = total = 0
        for part, answers in zip(self.parts, self.said["model"], strict=True):
            for posed, said in zip(part.test, answers.test, strict=True):
                chosen, _ = systems.letter()(posed, said)
                wanted = dict(posed.example.gold)
                if chosen in wanted:
                    total += 1
                    right += max(said.relations, key=lambda name: said.relations[name]) == wanted[chosen]
        return round(right / max(total, 1), 4)

    def recall(self) -> float:
        meant = [p for part in self.parts for p in part.test if p.example.gold]
        return round(sum(any(f.label in p.example.labels for f in p.found) for p in meant) / max(len(meant), 1), 4)


def _baselines(setting: Setting, posed: Sequence[Posed]) -> dict[str, list[Outcome]]:
    vectors = setting.embedder.embed([p.example.text for p in posed])
    found: dict[str, list[Outcome]] = {name: [] for name in systems.BASELINES}
    for question, vector in zip(posed, vectors, strict=True):
        example = question.example
        likeness = setting.index.likeness(example.text, {family(example.vendor)}, vector=vector)
        for name, way in systems.BASELINES.items():
            label, confidence = way(setting.index, likeness)
            found[name].append(Outcome(example.vendor, example.labels, label, confidence))
    return found


def experiment(
    name: str,
    numbers: list[int],
    models: bool,
    zero_shot: bool,
    threads: int,
    watch: Watch = silent,
    setting: Setting | None = None,
) -> dict[str, Any]:
    """Ask every fold's model, with the detector's kind told and not, and return the whole result.

    Raises:
        CannotTrain: there is no such experiment.
        NoAnswers: a model's answers are not kept, and it cannot be asked here.
    """
    home = EXPERIMENTS / name
    recipe = read_plan(home).recipe
    asking = Asking(home, threads)
    if models:
        asking.can_answer(f"fold{fold}-{tag}" for fold in numbers for tag in TOLD)
    steps = len(numbers) * (1 + len(TOLD)) + 1
    watch("opening vocabularies and index", 0, steps)
    setting = setting or open_setting()
    tallies = {tag: Tally() for tag in TOLD}
    leakage: dict[str, Any] = {}
    done = 0
    for fold in numbers:
        watch(f"fold {fold}: fitting the ranker without its vendors", done, steps)
        done += 1
        parts = setting.split(str(fold))
        trained = training_examples(setting.vocabularies, setting.taxonomy, parts, recipe)
        leakage[str(fold)] = report(setting.vocabularies, trained, parts)
        asker = setting.asker(asking.ranker(fold, setting.index, partial(setting.ranker, str(fold))))
        adapter = CACHE.parent / "training" / name / f"fold{fold}" / "adapter"
        for tag, tally in tallies.items():
            watch(f"fold {fold}: asking, {tag.replace('_', ' ')}", done, steps)
            done += 1
            part = pose(setting, fold, asker, TOLD[tag])
            count = setting.framing.candidates
            answers = {"plain": part.cut([without_model(p) for p in part.all()])}
            if models:
                answers["model"] = part.cut(asking.ask(part.all(), adapter, f"fold{fold}-{tag}", count))
            if models and zero_shot and tag == "kind_told":
                answers["zero_shot"] = part.cut(asking.ask(part.all(), None, f"zero{fold}-{tag}", count))
            tally.add(setting, part, answers)
    setting.vectors_done()
    watch("measuring", done, steps)
    return {"folds": numbers, "cases": sum(len(p.test) for p in tallies["kind_told"].parts), "leakage": leakage} | (
        _result(tallies, models)
    )


def _result(tallies: dict[str, Tally], models: bool) -> dict[str, Any]:
    outcomes = {tag: tally.outcomes() for tag, tally in tallies.items()}
    best = "model_and_ranker" if models else "ranker"
    measured = {
        tag: {system: measure(said["test"], said["nonsense"]) for system, said in found.items()}
        for tag, found in outcomes.items()
    }
    differences = {
        tag: compare({system: said["test"] for system, said in found.items()}, measured[tag])
        for tag, found in outcomes.items()
    }
    shown = ("fuzzy", "minilm", "nearest", "ranker")
    result: dict[str, Any] = {
        "served": best,
        "recall_of_candidates": {tag: tally.recall() for tag, tally in tallies.items()},
        "systems": measured,
        "differences": differences,
        "vendors": {
            tag: _vendors(found, (*shown, differences[tag]["best_baseline"], best)) for tag, found in outcomes.items()
        },
    }
    if models:
        result["relation_accuracy"] = {tag: tally.relations() for tag, tally in tallies.items()}
    source = "model" if models else "plain"
    pools = [tally.pool(source) for tally in tallies.values()]
    together = Fitting([p for pool in pools for p in pool.posed], [s for pool in pools for s in pool.scored])
    result["serving"] = {
        "features": FEATURES,
        "reading": READING,
        "stack": (systems.model_and_ranker if models else systems.ranker)(together).model_dump(),
        "without_model": systems.ranker(together).model_dump(),
        "words": len(together.posed),
    }
    return result


def _vendors(found: dict[str, dict[str, list[Outcome]]], names: Sequence[str]) -> dict[str, dict[str, float]]:
    groups = {name: metrics.by_vendor(found[name]["test"]) for name in dict.fromkeys(names)}
    return {
        vendor: {"words": len(group)} | {name: round(metrics.accuracy(g[vendor]), 3) for name, g in groups.items()}
        for vendor, group in groups[names[0]].items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment")
    parser.add_argument("--folds", default=",".join(map(str, range(FOLDS))))
    parser.add_argument("--baselines-only", action="store_true")
    parser.add_argument("--zero-shot", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    numbers = [int(n) for n in given.folds.split(",")]
    result = experiment(given.experiment, numbers, not given.baselines_only, given.zero_shot, given.threads)
    path = EXPERIMENTS / given.experiment / ("baselines.json" if given.baselines_only else "result.json")
    path.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    if not given.baselines_only:
        (path.parent / "calibration.json").write_text(json.dumps(result["serving"], indent=1) + "\n", "utf-8")
    log.info("wrote %s", path)


if __name__ == "__main__":
    main()
