"""What `llama-mapper policies` asks policies: labels from options, a file, or requests that were recorded."""

import asyncio
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .refusing import MISUSED, refuse

if TYPE_CHECKING:
    from functions.orchestrate.policies.bundle_explain import ExplainingPolicy, Explanation
    from functions.orchestrate.policies.bundle_replay import Again
    from functions.orchestrate.policies.bundles import Bundle
    from llama_mapper.contracts.analysis import CanonicalFinding
    from llama_mapper.contracts.orchestration import Coverage
    from llama_mapper.contracts.records import RecordedDecision


class Found(NamedTuple):
    """What a decision is taken on."""

    findings: "tuple[CanonicalFinding, ...]"
    coverage: "Coverage"


def asked_labels(labels: Iterable[str], confidence: float, severity: int, detectors: int, coverage: float) -> Found:
    """One finding a label, each said by as many detectors."""
    from pydantic import ValidationError

    from llama_mapper.contracts.analysis import CanonicalFinding
    from llama_mapper.contracts.orchestration import Coverage

    source = {"detector_version": "0", "vendor_label": "asked", "method": "rule", "relation": "exact"}
    sources = [source | {"detector": f"detector-{n}", "score": confidence} for n in range(1, detectors + 1)]
    shared = {"confidence": confidence, "severity": severity, "sources": sources}
    try:
        findings = tuple(CanonicalFinding.model_validate(shared | {"label": label}) for label in labels)
    except ValidationError:
        refuse("a label is dotted and begins in capitals, such as PII.Contact.Email", MISUSED)
    return Found(findings, Coverage(method="REQUIRED_SET", score=coverage, required=()))


def asked_request(request: str, tenant: str, url: str | None, run_dir: Path | None) -> Found:
    """What was found in a recorded request.

    Raises:
        ServiceRefused: record does not answer, or refuses.
    """
    found = _recorded({"request_id": request, "limit": "1"}, tenant, url, run_dir)
    if not found:
        refuse("no such request of this tenant is recorded, or nobody decided on it")
    return Found(found[0].findings, found[0].coverage)


def recorded_requests(tenant: str, last: int, url: str | None, run_dir: Path | None) -> "list[RecordedDecision]":
    """The newest requests that record has.

    Raises:
        ServiceRefused: record does not answer, or refuses.
    """
    return _recorded({"limit": str(last)}, tenant, url, run_dir)


def read_requests(path: Path) -> "list[RecordedDecision]":
    """One recorded request a line."""
    from pydantic import ValidationError

    from llama_mapper.contracts.records import RecordedDecision

    found: list[RecordedDecision] = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        try:
            found += [RecordedDecision.model_validate_json(line)] if line.strip() else []
        except ValidationError:
            refuse(f"line {number} is no recorded request as /api/v1/decisions lists them", MISUSED)
    return found


def asked_file(bundle: "Bundle", policy: str, path: Path) -> "Explanation":
    """Ask *policy* the whole input that *path* holds."""
    import json

    from functions.orchestrate.policies.rego import POLICIES
    from llama_mapper.contracts.problems import Problem

    if policy not in POLICIES:
        refuse(f"there is no policy of that name; there are {', '.join(POLICIES)}", MISUSED)
    try:
        question: Any = json.loads(_text(path))
    except ValueError:
        refuse("the input is not JSON", MISUSED)
    try:
        return _explaining(bundle).explain(policy, question)
    except Problem as problem:
        refuse(problem.detail)


def explained(bundle: "Bundle", found: Found, tenant: str) -> "Explanation":
    """Have *found* decided as orchestrate has it decided, and say why."""
    from llama_mapper.contracts.identifiers import TenantId
    from llama_mapper.contracts.problems import Problem

    policy = _explaining(bundle)
    try:
        asyncio.run(policy.decide(found.findings, found.coverage, TenantId(tenant)))
    except Problem as problem:
        refuse(problem.detail)
    return policy.explanations[-1]


def compared(old: "Bundle", new: "Bundle", requests: "Sequence[RecordedDecision]", tenant: str) -> "list[Again]":
    """Decide *requests* by both."""
    from functions.orchestrate.policies.bundle_replay import against_other
    from functions.orchestrate.policies.rego import RegoPolicy
    from llama_mapper.contracts.identifiers import TenantId
    from llama_mapper.contracts.problems import Problem

    try:
        return asyncio.run(against_other(RegoPolicy(old), RegoPolicy(new), requests, TenantId(tenant)))
    except Problem as problem:
        refuse(problem.detail)


def _explaining(bundle: "Bundle") -> "ExplainingPolicy":
    from functions.orchestrate.policies.bundle_explain import ExplainingPolicy
    from functions.orchestrate.policies.bundles import BrokenBundle

    try:
        return ExplainingPolicy(bundle)
    except BrokenBundle as broken:
        refuse(broken.detail)


def _recorded(params: dict[str, str], tenant: str, url: str | None, run_dir: Path | None) -> "list[RecordedDecision]":
    from llama_mapper.contracts.records import RecordedDecisions

    from .costs import ask_record

    answer = ask_record("/api/v1/decisions", params, tenant, url, run_dir)
    return list(RecordedDecisions.model_validate_json(answer).decisions)


def _text(path: Path) -> str:
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        refuse(f"{path.name} cannot be read as text", MISUSED)
