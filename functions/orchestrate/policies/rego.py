"""The Rego policies in process (regorus); ``opa.py`` asks an OPA server the same."""

import copy
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import TypeAdapter, ValidationError

from llama_mapper.chassis.metrics import POLICY_SECONDS
from llama_mapper.contracts.analysis import CanonicalFinding
from llama_mapper.contracts.identifiers import AnyCanonicalLabel, AnyDetectorId, TenantId
from llama_mapper.contracts.identity import Principal, Scope
from llama_mapper.contracts.orchestration import Coverage, CoverageMethod, Decision, OrchestrateRequest, Priority
from llama_mapper.contracts.problems import InsufficientRbac, Unauthorized, Unavailable
from llama_mapper.contracts.redaction import RedactionOperator
from llama_mapper.contracts.tenants import IgnoredField, TenantConfiguration, TenantRules
from llama_mapper.contracts.wire import Wire

from ..ports import NOTHING_SAID, Circumstances, Layers, RedactionRule, Selection, Tenancy
from .bundle_archives import read_path
from .bundle_proof import compiled, path_of
from .bundles import Bundle

POLICIES = ("access", "admission", "selection", "decision", "redaction", "retention", "tenancy")
_REASONS = {
    "tenant.unknown": "X-Tenant-ID names no tenant of this system",
    "tenant.needs_key": "this tenant needs an API key",
    "tenant.other": "the credential does not belong to that tenant",
    "credential.missing": "this needs an API key or a token",
    "scope.missing": "the credential does not hold the scope this needs",
    "mfa.needed": "this needs a second factor, shown a short while ago",
    "tenant.disabled": "this tenant is disabled",
    "content.too_large": "content is larger than this tenant may send",
    "priority.too_high": "this tenant may not use that priority",
    "redaction.operator": "this tenant may not have content redacted in that way",
}


class _Chosen(Wire):
    """What the selection policy must answer."""

    detectors: tuple[AnyDetectorId, ...]
    required: tuple[AnyDetectorId, ...]
    coverage_method: CoverageMethod
    weights: dict[str, float] = {}
    pillars: dict[str, tuple[str, ...]] = {}


class _Redacting(Wire):
    """What the redaction policy must answer."""

    allow: bool
    operator: RedactionOperator | None
    reasons: tuple[str, ...]
    labels: tuple[AnyCanonicalLabel, ...]
    min_confidence: float


class _Tenancy(Wire):
    """What the tenancy policy must answer."""

    known: bool
    rules: TenantRules
    ignored: tuple[IgnoredField, ...]


_PRIORITY: TypeAdapter[Priority] = TypeAdapter(Priority)


class RegoPolicy:
    """The policies of a folder, of a bundle file or of a bundle that was read; read once, cheap to ask.

    Raises:
        BrokenBundle: there is no policy, one does not compile (the file is named), or data.json is no data.
    """

    engine: ClassVar[Literal["in_process", "opa"]] = "in_process"

    def __init__(self, policies: Path | Bundle) -> None:
        self.bundle = policies if isinstance(policies, Bundle) else read_path(policies)
        self._engine = compiled(self.bundle, POLICIES)
        self.layers = Layers()

    @property
    def version(self) -> str:
        return self._with_layers(self.bundle.version)

    def _with_layers(self, version: str) -> str:
        """A version of policies, and of what was configured for the tenant."""
        return f"{version}+tenant.{self.layers.version}" if self.layers.version else version

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

    async def admit(
        self,
        tenant_id: TenantId,
        content_characters: int,
        authenticated: bool = False,
        priority: Priority = "normal",
    ) -> Priority:
        answer = await self._ask(
            "admission",
            {
                "tenant_id": tenant_id,
                "authenticated": authenticated,
                "content_characters": content_characters,
                "priority": priority,
            },
        )
        if answer.get("allow") is True:
            try:
                return _PRIORITY.validate_python(answer.get("priority", priority))
            except ValidationError as error:
                raise Unavailable("the admission policy answered in a shape we do not know") from error
        reasons, detail = _refusal(answer)
        if "tenant.unknown" in reasons or "tenant.needs_key" in reasons:
            raise Unauthorized(detail)
        raise InsufficientRbac(detail)

    async def select(self, request: OrchestrateRequest, available: Sequence[str], tenant_id: TenantId) -> Selection:
        circumstances = Circumstances.of(request)
        answer = await self._ask(
            "selection",
            {
                **circumstances.said(),
                "tenant_id": tenant_id,
                "named": list(request.detector_types) if request.detector_types else None,
                "excluded": list(request.excluded_detectors),
                "required": list(request.required_detectors),
                "available": list(available),
            },
        )
        try:
            chosen = _Chosen.model_validate(answer)
        except ValidationError as error:
            raise Unavailable("the selection policy answered in a shape we do not know") from error
        return Selection(
            chosen.detectors,
            chosen.required,
            chosen.coverage_method,
            chosen.weights,
            chosen.pillars,
            circumstances,
        )

    async def decide(
        self,
        findings: Sequence[CanonicalFinding],
        coverage: Coverage,
        tenant_id: TenantId,
        circumstances: Circumstances = NOTHING_SAID,
    ) -> Decision:
        answer = await self._ask(
            "decision",
            {
                **circumstances.said(),
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

    async def redact(
        self, tenant_id: TenantId, asked: RedactionOperator | None, obligations: Sequence[str]
    ) -> RedactionRule:
        question = {"tenant_id": tenant_id, "asked": asked, "obligations": list(obligations)}
        answer = await self._ask("redaction", question)
        try:
            rule = _Redacting.model_validate(answer)
        except ValidationError as error:
            raise Unavailable("the redaction policy answered in a shape we do not know") from error
        if not rule.allow:
            raise InsufficientRbac(_refusal(answer)[1])
        return RedactionRule(rule.operator, rule.labels, rule.min_confidence)

    async def tenancy(self, tenant_id: TenantId, proposed: TenantConfiguration | None = None) -> Tenancy:
        said = proposed.model_dump(mode="json", exclude_none=True) if proposed else {}
        answer = await self._ask("tenancy", {"tenant_id": tenant_id, "proposed": said})
        try:
            told = _Tenancy.model_validate(answer)
        except ValidationError as error:
            raise Unavailable("the tenancy policy answered in a shape we do not know") from error
        return Tenancy(told.known, told.rules, told.ignored)

    def under(self, layers: Layers) -> Self:
        """The same policies, asked with what was configured for a tenant."""
        other = copy.copy(self)
        other.layers = layers
        return other

    async def ready(self) -> bool:
        """Whether questions are answered."""
        return True

    async def pinned(self, tenant_id: TenantId) -> "RegoPolicy":
        """This, which is one version already."""
        return self

    async def _ask(self, name: str, question: Mapping[str, Any]) -> dict[str, Any]:
        """Ask ``data.llama_mapper.<name>.<name>``; whatever goes wrong, the answer is never "yes"."""
        with POLICY_SECONDS.labels(policy=name, engine=self.engine).time():
            answer = await self._evaluate(name, {**question, "tenant": self.layers.said()})
        if not isinstance(answer, dict):
            raise Unavailable(f"the {name} policy gives no answer")
        return answer

    async def _evaluate(self, name: str, question: Mapping[str, Any]) -> Any:
        engine = self._engine.clone()  # an engine holds its input: one for each question
        engine.set_input_json(json.dumps(question))
        try:
            return engine.eval_rule(path_of(name))
        except RuntimeError as error:
            raise Unavailable(f"the {name} policy cannot be evaluated") from error


def _refusal(answer: Mapping[str, Any]) -> tuple[list[str], str]:
    """A refusal's codes, and the same in words."""
    reasons = [str(reason) for reason in answer.get("reasons", ["policy.undecided"])]
    return reasons, "; ".join(_REASONS.get(reason, "not allowed") for reason in reasons)
