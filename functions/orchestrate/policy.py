"""The Rego policies in process (regorus); the same interface an OPA server would get."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import regorus
from pydantic import ValidationError

from llama_mapper.contracts.analysis import CanonicalFinding
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.orchestration import Coverage, Decision, OrchestrateRequest
from llama_mapper.contracts.problems import InsufficientRbac, PolicyNotFound, Unauthorized, Unavailable

from .service import Selection

_REASONS = {
    "tenant.unknown": "X-Tenant-ID names no tenant of this system",
    "tenant.needs_key": "this tenant needs an API key",
    "tenant.disabled": "this tenant is disabled",
    "content.too_large": "content is larger than this tenant may send",
}


class RegoPolicy:
    """Every ``*.rego`` under *folder* but tests, with ``data.json``; read once, cheap to ask.

    Raises:
        PolicyNotFound: the folder holds no policy, or one does not compile (the file is named).
    """

    def __init__(self, folder: Path) -> None:
        self._engine = regorus.Engine()
        paths = [p for p in sorted(folder.rglob("*.rego")) if not p.stem.endswith("_test")]
        if not paths:
            raise PolicyNotFound("no policies in the policy folder")
        digest = hashlib.sha256()
        for path in paths:
            source = path.read_text("utf-8")
            digest.update(source.encode())
            try:
                self._engine.add_policy(str(path.relative_to(folder)), source)
            except RuntimeError as error:
                raise PolicyNotFound(f"{path.relative_to(folder)} does not compile") from error
        data = (folder / "data.json").read_text("utf-8")
        digest.update(data.encode())
        self._engine.add_data_json(data)
        self.version = f"{json.loads(data)['version']}+{digest.hexdigest()[:12]}"

    def admit(self, tenant_id: TenantId, content_characters: int) -> None:
        answer = self._ask(
            "admission",
            {"tenant_id": tenant_id, "authenticated": False, "content_characters": content_characters},
        )
        if answer.get("allow") is True:
            return
        reasons = [str(reason) for reason in answer.get("reasons", ["policy.undecided"])]
        detail = "; ".join(_REASONS.get(reason, "not allowed") for reason in reasons)
        if "tenant.unknown" in reasons or "tenant.needs_key" in reasons:
            raise Unauthorized(detail)
        raise InsufficientRbac(detail)

    def select(self, request: OrchestrateRequest, available: Sequence[str]) -> Selection:
        answer = self._ask(
            "selection",
            {
                "processing_mode": request.processing_mode,
                "content_type": request.content_type,
                "excluded": list(request.excluded_detectors),
                "required": list(request.required_detectors),
                "available": list(available),
            },
        )
        return Selection(
            detectors=tuple(answer["detectors"]),
            required=tuple(answer["required"]),
            method=answer["coverage_method"],
        )

    def decide(self, findings: Sequence[CanonicalFinding], coverage: Coverage, tenant_id: TenantId) -> Decision:
        answer = self._ask(
            "decision",
            {
                "tenant_id": tenant_id,
                "findings": [f.model_dump(include={"label", "confidence", "severity"}) for f in findings],
                "coverage": coverage.model_dump(include={"score", "missing"}),
            },
        )
        try:
            return Decision(policy="decision", policy_version=self.version, **answer)
        except (ValidationError, TypeError) as error:
            raise Unavailable("the decision policy answered in a shape we do not know") from error

    def _ask(self, name: str, question: Mapping[str, Any]) -> dict[str, Any]:
        """Evaluate ``data.llama_mapper.<name>.<name>``; whatever goes wrong, the answer is never "yes"."""
        engine = self._engine.clone()  # an engine holds its input: one for each question
        engine.set_input_json(json.dumps(question))
        try:
            answer = engine.eval_rule(f"data.llama_mapper.{name}.{name}")
        except RuntimeError as error:
            raise Unavailable(f"the {name} policy cannot be evaluated") from error
        if not isinstance(answer, dict):
            raise Unavailable(f"the {name} policy gives no answer")
        return answer
