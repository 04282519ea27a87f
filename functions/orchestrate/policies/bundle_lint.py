"""What policies keep to beyond compiling: see "Writing one" in policies/README.md.

The engine in process takes a call of a function that does not exist for undefined until it is reached, so calls are
checked here, in the syntax tree, against a list of what both engines have and answer alike.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

from llama_mapper.contracts.policies import PolicyFault

from .bundle_proof import careless, compiled, run_tests
from .bundles import PACKAGES, BrokenBundle, Bundle, fault, within

# Each was asked of regorus and of OPA; those that differ (crypto.*, array.flatten …) are left out.
_BOTH_HAVE = """
    abs array.concat array.reverse array.slice base64.decode base64.encode base64.is_valid base64url.decode
    base64url.encode base64url.encode_no_pad bits.and bits.lsh bits.negate bits.or bits.rsh bits.xor ceil concat
    contains count endswith floor format_int glob.match glob.quote_meta graph.reachable hex.decode hex.encode
    indexof indexof_n intersection is_array is_boolean is_null is_number is_object is_set is_string json.filter
    json.is_valid json.marshal json.patch json.remove json.unmarshal lower max min numbers.range numbers.range_step
    object.filter object.get object.keys object.remove object.subset object.union object.union_n product
    regex.find_all_string_submatch_n regex.find_n regex.is_valid regex.match regex.replace regex.split round
    semver.compare semver.is_valid sort split sprintf startswith strings.any_prefix_match strings.any_suffix_match
    strings.count strings.replace_n strings.reverse substring sum to_number trim trim_left trim_prefix trim_right
    trim_space trim_suffix type_name union units.parse units.parse_bytes upper urlquery.decode urlquery.encode
    urlquery.encode_object walk
"""
BUILT_INS = frozenset(_BOTH_HAVE.split())
# The same question gets the same answer, and asks nobody else.
FORBIDDEN = frozenset(("http", "io", "net", "opa", "print", "providers", "rand", "rego", "time", "trace", "uuid"))

Node = Any
"""A part of the engine's syntax tree, as JSON: an object with its kind as its only key, or a list or leaf in one."""


def faults(bundle: Bundle, names: Sequence[str]) -> tuple[PolicyFault, ...]:
    """Everything that is wrong with *bundle*, sorted; what does not compile is not looked at further.

    *names*: the policies that must be there.
    """
    try:
        engine = compiled(bundle, names)
        tests = run_tests(bundle, names)
    except BrokenBundle as broken:
        return broken.faults
    trees = [module["ast"] | {"file": module["source"]["file"]} for module in json.loads(engine.get_ast_as_json())]
    files = {_package(tree)[-1]: str(tree["file"]) for tree in trees}
    failed = (fault(run.file, "test_failed", run.line) for run in tests.failed)
    again = Counter((run.file, run.name) for run in tests.runs)
    repeated = (fault(run.file, "test_repeated", run.line) for run in tests.runs if again[run.file, run.name] > 1)
    found = chain(
        *(_of_module(tree) for tree in trees),
        _outside(bundle, trees),
        careless(engine, names, files),
        failed,
        repeated,
    )
    return tuple(sorted(set(found), key=lambda one: (one.file, one.line, one.code)))


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; ``lines``: first and last line of each place that defines it."""

    package: str
    name: str
    file: str
    lines: tuple[tuple[int, int], ...]


def rules(engine: Any, package: str) -> list[Rule]:
    """The rules that have values (no functions) of our *package* and, after them, of the packages it imports."""
    modules = {_package(module["ast"])[-1]: module for module in json.loads(engine.get_ast_as_json())}
    wanted, places = [package], dict[tuple[str, str], list[tuple[int, int]]]()
    for name in wanted:
        tree, text = modules[name]["ast"], modules[name]["source"]["contents"].encode()
        wanted += [one for one in _imported(tree) if one in modules and one not in wanted]
        for kind, rule in ((kind, rule) for entry in tree["rules"] for kind, rule in entry.items()):
            if kind == "Default" or next(iter(rule["head"])) != "Func":
                first, span = _line(rule), rule["span"]
                last = first + text[span["start"] : span["end"]].count(b"\n")
                places.setdefault((name, _name(_head(kind, rule))[0]), []).append((first, last))
    return [Rule(p, name, modules[p]["source"]["file"], tuple(lines)) for (p, name), lines in places.items()]


def _imported(tree: Node) -> Iterator[str]:
    """The last part of each import's name."""
    for imported in tree["imports"]:
        yield _name(imported["refr"])[-1]


def _of_module(tree: Node) -> Iterator[PolicyFault]:
    file, path = tree["file"], PurePosixPath(tree["file"])
    package = _package(tree)
    folder = path.parent.name or path.stem  # a ConfigMap has no folders
    if package != (PACKAGES, path.stem) or folder != path.stem:
        yield fault(file, "package_not_file", _line(tree["package"]))
    rules = [(kind, rule) for entry in tree["rules"] for kind, rule in entry.items()]
    named = {kind: {_name(_head(kind, rule))[0] for k, rule in rules if k == kind} for kind, _ in rules}
    own = set().union(*named.values()) if named else set()
    if package[-1] in own and package[-1] not in named.get("Default", ()):
        yield fault(file, "default_missing", _line(tree["package"]))
    imported = {imported.get("as") or _name(imported["refr"])[-1] for imported in tree["imports"]}
    known = own | {name["value"] if isinstance(name, dict) else name for name in imported} | {"data"}
    for kind, node in _walk(tree["rules"]):
        if kind == "Call":
            name = _name(node["fcn"])
            if name[0] in FORBIDDEN:
                yield fault(file, "builtin_forbidden", _line(node))
            elif name[0] not in known and ".".join(name) not in BUILT_INS:
                yield fault(file, "builtin_unknown", _line(node))
        elif kind == "NotExpr" and _compares_outside(node["expr"]):
            yield fault(file, "negated_comparison", _line(node))


def _compares_outside(expression: Node) -> bool:
    """Whether it compares or looks up something of input or data, which may be missing.

    Negated, OPA takes that for undefined and the engine in process for true. Inside a call it is no matter:
    ``object.get`` and our own functions see to what is missing.
    """
    compared = [node for kind, node in expression.items() if kind in ("BoolExpr", "Membership")]
    inner = _walk(compared, into_calls=False)
    return any(kind == "Var" and node["value"] in ("input", "data") for kind, node in inner)


def _outside(bundle: Bundle, trees: Sequence[Node]) -> Iterator[PolicyFault]:
    """What the manifest's roots do not cover OPA refuses to load."""
    for tree in trees:
        if not within(_package(tree), bundle.roots):
            yield fault(tree["file"], "root_missing", _line(tree["package"]))
    for name in bundle.data:
        if not any(within((name,), (root.split("/")[0],)) for root in bundle.roots):
            yield fault("manifest", "root_missing")


def _walk(node: Node, *, into_calls: bool = True) -> Iterator[tuple[str, Node]]:
    if isinstance(node, dict):
        for kind, inner in node.items():
            if kind[:1].isupper():
                yield kind, inner
            if into_calls or kind != "Call":
                yield from _walk(inner, into_calls=into_calls)
    elif isinstance(node, list):
        for inner in node:
            yield from _walk(inner, into_calls=into_calls)


def _head(kind: str, rule: Node) -> Node:
    """The reference that a rule defines."""
    return rule["refr"] if kind == "Default" else next(iter(rule["head"].values()))["refr"]


def _name(reference: Node) -> tuple[str, ...]:
    """``object.get`` as ("object", "get"); what is computed ends the name."""
    for kind, node in reference.items():
        if kind == "Var":
            return (str(node["value"]),)
        if kind == "RefDot":
            return (*_name(node["refr"]), str(node["field"][1]))
        if kind == "RefBrack":
            return _name(node["refr"])
    return ("",)


def _package(tree: Node) -> tuple[str, ...]:
    return _name(tree["package"]["refr"])


def _line(node: Node) -> int:
    return int(node["span"]["line"])
