"""The policies in both engines that may answer: ours (regorus) and OPA's own."""

import json
from pathlib import Path
from typing import Any

import opa_bindings
import regorus

from functions.orchestrate.policies.rego import POLICIES

FOLDER = Path(__file__).parents[2] / "policies"
SOURCES = [p for p in sorted(FOLDER.rglob("*.rego")) if not p.stem.endswith("_test")]
SHIPPED = json.loads((FOLDER / "data.json").read_text("utf-8"))


class Engines:
    """Both engines with the same policies and data."""

    def __init__(self, data: Any, *more: Path) -> None:
        self._regorus = regorus.Engine()
        self._opa = opa_bindings.OpaEngine()
        for path in (*SOURCES, *more):
            self._regorus.add_policy(str(path), path.read_text("utf-8"))
            self._opa.add_policy(str(path), path.read_text("utf-8"))
        self._regorus.add_data_json(json.dumps(data))
        self._opa.add_data(data)
        self._regorus.set_input_json("{}")
        for name in POLICIES:  # as orchestrate does, so that the copies below are prepared
            self._regorus.eval_rule(f"data.llama_mapper.{name}.{name}")

    def both(self, path: str, question: Any) -> tuple[Any, Any]:
        """Return the answers of ours and of OPA; a refusal to answer counts as the answer "refused"."""
        ours = self._regorus.clone()
        ours.set_input_json(json.dumps(question))
        answers: list[Any] = []
        try:
            answers.append(ours.eval_rule(f"data.{path}"))
        except RuntimeError:
            answers.append("refused")
        try:
            answers.append(self._opa.eval_document(path, question))
        except opa_bindings.OpaUndefinedError:
            answers.append(None)
        except opa_bindings.OpaError:
            answers.append("refused")
        return answers[0], answers[1]

    def close(self) -> None:
        self._opa.close()
