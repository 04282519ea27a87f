"""Policies as small as policies can be: one rule each, all that orchestrate asks."""

from pathlib import Path

from functions.orchestrate.policies.bundles import Bundle
from functions.orchestrate.policies.rego import POLICIES

DATA = {"version": "7"}
RULES = {
    "access": 'access := {"allow": true, "reasons": []} if input.action',
    "admission": 'admission := {"allow": true, "reasons": []} if input.tenant_id',
    "selection": 'selection := {"detectors": ["a"], "required": ["b"], "coverage_method": "WEIGHTED"} if input.asked',
    "decision": 'decision := {"action": "flag", "reasons": ["r"], "obligations": ["o"]} if is_array(input.findings)',
}
DEFAULTS = {
    "access": '{"allow": false, "reasons": ["access.undecided"]}',
    "admission": '{"allow": false, "reasons": ["tenant.unknown"]}',
    "selection": '{"detectors": [], "required": [], "coverage_method": "REQUIRED_SET"}',
    "decision": '{"action": "human_review", "reasons": ["policy.undecided"], "obligations": []}',
}


def sources(**rules: str) -> dict[str, str]:
    """Path -> Rego, *rules* in place of the usual ones; a name that is no policy is one more file."""
    bodies = {name: RULES.get(name, f"{name} := {{}} if input.never") for name in POLICIES} | rules
    heads = {name: f"package llama_mapper.{name}\n\ndefault {name} := {DEFAULTS.get(name, '{}')}" for name in bodies}
    return {f"{name}/{name}.rego": f"{heads[name]}\n\n{body}\n" for name, body in bodies.items()}


def bundle(**rules: str) -> Bundle:
    return Bundle(sources(**rules), DATA)


def decides(action: str) -> str:
    """The decision policy that says *action* to all findings, and names itself in the reasons."""
    return (
        f'decision := {{"action": "{action}", "reasons": ["{action}"], "obligations": []}} if is_array(input.findings)'
    )


def holds(name: str, rule: str) -> dict[str, str]:
    """A test file beside policy *name*: path -> Rego."""
    return {
        f"{name}/{name}_test.rego": f"package llama_mapper.{name}_test\n\nimport data.llama_mapper.{name}\n\n{rule}\n"
    }


def write(folder: Path, files: dict[str, str], data: str = '{"version": "7"}') -> Path:
    for path, source in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(source)
    (folder / "data.json").write_text(data)
    return folder
