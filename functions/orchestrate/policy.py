"""The Rego policies in process (regorus); ``opa.py`` asks an OPA server the same."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import regorus
from pydantic import ValidationError

from llama_mapper.contracts.analysis import CanonicalFinding
from llama_mapper.contracts.identifiers import AnyDetectorId, TenantId
from llama_mapper.contracts.identity import Principal, Scope
from llama_mapper.contracts.orchestration import Coverage, CoverageMethod, Decision, OrchestrateRequest
from llama_mapper.contracts.problems import InsufficientRbac, PolicyNotFound, Unauthorized, Unavailable
from llama_mapper.contracts.wire import Wire

from .ports import Selection

POLICIES = ("access", "admission", "selection", "decision")
_PLACE = re.compile(r"--> (\S+?\.rego):\d+")
_REASONS = {
    "tenant.unknown": "X-Tenant-ID names no tenant of this system",
    "tenant.needs_key": "this tenant needs an API key",
    "tenant.other": "the credential does not belong to that tenant",
    "credential.missing": "this needs an API key or a token",
    "scope.missing": "the credential does not hold the scope this needs",
    "mfa.needed": "this needs a second factor, shown a short while ago",
    "tenant.disabled": "this tenant is disabled",
    "content.too_large": "content is larger than this tenant may send",
}


class _Chosen(Wire):
    """What the selection policy must answer."""

    detectors: tuple[AnyDetectorId, ...]
    required: tuple[AnyDetectorId, ...]
    coverage_method: CoverageMethod
    weights: dict[str, float] = {}
    pillars: dict[str, tuple[str, ...]] = {}


class RegoPolicy:
    """Every ``*.rego`` under *folder* but tests, with ``data.json``; read once, cheap to ask.

    Raises:
        PolicyNotFound: the folder holds no policy, one does not compile (the file is named), or data.json is no data.
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
        try:
            data = (folder / "data.json").read_text("utf-8")
            version = str(json.loads(data)["version"])
            self._engine.add_data_json(data)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise PolicyNotFound("data.json is missing, not JSON or without a version") from error
        for name in POLICIES:
            self._prove(name)
        digest.update(data.encode())
        self.version = f"{version}+{digest.hexdigest()[:12]}"

    def _prove(self, name: str) -> None:
        """Evaluate once on nothing, in the engine that all questions are asked of copies of.

        It parses when it loads, but checks names only when it evaluates, and a copy need not prepare again (1.1 ms).
        """
        self._engine.set_input_json("{}")
        try:
            self._engine.eval_rule(f"data.llama_mapper.{name}.{name}")
        except RuntimeError as error:
            place = _PLACE.search(str(error))
            raise PolicyNotFound(f"{place.group(1) if place else f'policy {name}'} does not compile") from error

    async def permit(self, principal: Principal, action: Scope, tenant_id: TenantId, now: datetime) -> None:
        at = principal.authenticated_at
        said = principal.model_dump(mode="json", include={"kind", "tenants", "scopes", "amr", "acr"})
        who = {**said, "age_seconds": (now - at).total_seconds() if at else None}
        answer = await self._ask("access", {"principal": who, "action": action, "tenant_id": tenant_id})
        if answer.get("allow") is True:
            return
        reasons, detail = _refusal(answer)
        if principal.kind == "open":
            raise Unauthorized(detail)
        # RFC 9470 section 3: what a client must do to be let in the next time.
        step_up = {"WWW-Authenticate": 'Bearer error="insufficient_user_authentication"'}
        raise InsufficientRbac(detail, headers=step_up if reasons == ["mfa.needed"] else None)

    async def admit(self, tenant_id: TenantId, content_characters: int, authenticated: bool = False) -> None:
        answer = await self._ask(
            "admission",
            {"tenant_id": tenant_id, "authenticated": authenticated, "content_characters": content_characters},
        )
        if answer.get("allow") is True:
            return
        reasons, detail = _refusal(answer)
        if "tenant.unknown" in reasons or "tenant.needs_key" in reasons:
            raise Unauthorized(detail)
        raise InsufficientRbac(detail)

    async def select(self, request: OrchestrateRequest, available: Sequence[str]) -> Selection:
        answer = await self._ask(
            "selection",
            {
                "processing_mode": request.processing_mode,
                "content_type": request.content_type,
                "excluded": list(request.excluded_detectors),
                "required": list(request.required_detectors),
                "available": list(available),
            },
        )
        try:
            chosen = _Chosen.model_validate(answer)
        except ValidationError as error:
            raise Unavailable("the selection policy answered in a shape we do not know") from error
        return Selection(chosen.detectors, chosen.required, chosen.coverage_method, chosen.weights, chosen.pillars)

    async def decide(self, findings: Sequence[CanonicalFinding], coverage: Coverage, tenant_id: TenantId) -> Decision:
        answer = await self._ask(
            "decision",
            {
                "tenant_id": tenant_id,
                "findings": [
                    f.model_dump(include={"label", "confidence", "severity"})
                    | {"detectors": len({source.detector for source in f.sources})}
                    for f in findings
                ],
                "coverage": coverage.model_dump(include={"score", "missing"}),
            },
        )
        try:
            return Decision(policy="decision", policy_version=self.version, **answer)
        except (ValidationError, TypeError) as error:
            raise Unavailable("the decision policy answered in a shape we do not know") from error

    async def ready(self) -> bool:
        """Whether questions are answered."""
        return True

    async def pinned(self, tenant_id: TenantId) -> "RegoPolicy":
        """This, which is one version already."""
        return self

    async def _ask(self, name: str, question: Mapping[str, Any]) -> dict[str, Any]:
        """Ask ``data.llama_mapper.<name>.<name>``; whatever goes wrong, the answer is never "yes"."""
        answer = await self._evaluate(name, question)
        if not isinstance(answer, dict):
            raise Unavailable(f"the {name} policy gives no answer")
        return answer

    async def _evaluate(self, name: str, question: Mapping[str, Any]) -> Any:
        engine = self._engine.clone()  # an engine holds its input: one for each question
        engine.set_input_json(json.dumps(question))
        try:
            return engine.eval_rule(f"data.llama_mapper.{name}.{name}")
        except RuntimeError as error:
            raise Unavailable(f"the {name} policy cannot be evaluated") from error


def _refusal(answer: Mapping[str, Any]) -> tuple[list[str], str]:
    """A refusal's codes, and the same in words."""
    reasons = [str(reason) for reason in answer.get("reasons", ["policy.undecided"])]
    return reasons, "; ".join(_REASONS.get(reason, "not allowed") for reason in reasons)
