"""Why a policy answered as it did: the rules that have a value for this question, and those that have none."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_mapper.contracts.problems import Unavailable

from .bundle_lint import Rule, rules
from .bundle_proof import compiled, path_of
from .bundles import PACKAGES, Bundle
from .rego import POLICIES, RegoPolicy

UNDEFINED = "<undefined>"
"""How the engine writes it as JSON."""


@dataclass(frozen=True, slots=True)
class Fired:
    """One rule and what it says. ``lines``: those that define it and were evaluated for this question."""

    rule: str
    file: str
    lines: tuple[int, ...]
    value: Any
    own: bool
    """Of the policy itself, and not of one it imports."""


@dataclass(frozen=True, slots=True)
class Explanation:
    policy: str
    version: str
    question: Mapping[str, Any]
    answer: Any
    fired: tuple[Fired, ...]
    silent: tuple[str, ...]
    """Rules that say nothing, or no."""


class ExplainingPolicy(RegoPolicy):
    """Answers as the policies do, and keeps why in ``explanations``; slower, for people who ask one question."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        self._traced = compiled(bundle, POLICIES, coverage=True)
        self.explanations: list[Explanation] = []

    def explain(self, name: str, question: Mapping[str, Any]) -> Explanation:
        """Ask policy *name*.

        Raises:
            Unavailable: it cannot be evaluated on this question.
        """
        engine = self._traced.clone()
        engine.clear_coverage_data()
        engine.set_input_json(json.dumps(question))
        answer = _value(engine, path_of(name))
        report = json.loads(engine.get_coverage_report_as_json())
        seen = {file["path"]: file["covered"] for file in report["files"]}
        said = [_said(engine, rule, name, seen.get(rule.file, ())) for rule in rules(engine, name)]
        fired = tuple(one for one in said if one.value or (one.value == 0 and one.value is not False))
        silent = tuple(one.rule for one in said if one not in fired)
        return Explanation(name, self.version, question, answer, fired, silent)

    async def _evaluate(self, name: str, question: Mapping[str, Any]) -> Any:
        self.explanations.append(self.explain(name, question))
        return await super()._evaluate(name, question)


def _said(engine: Any, rule: Rule, policy: str, seen: Sequence[int]) -> Fired:
    value = _value(engine, f"data.{PACKAGES}.{rule.package}.{rule.name}")
    lines = tuple(line for line in seen if any(first <= line <= last for first, last in rule.lines))
    own = rule.package == policy
    return Fired(rule.name if own else f"{rule.package}.{rule.name}", rule.file, lines, value, own)


def _value(engine: Any, path: str) -> Any:
    """What *path* is, as JSON has it; None where it is undefined."""
    try:
        found = json.loads(engine.eval_rule_as_json(path))
    except RuntimeError as error:
        raise Unavailable(f"{path.split('.')[2]} cannot be evaluated on this question") from error
    return None if found == UNDEFINED else found
