"""Istio's AuthorizationPolicies allow exactly the picture's edges, by account, method, path and port."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .objects import Bundle, Fault, Object, rows
from .parties import AROUND, Party
from .picture import EVERY_PORT, Edge, Picture

GROUP = "security.istio.io"
_KNOWN_SOURCE, _KNOWN_OPERATION = frozenset({"principals", "namespaces"}), frozenset({"methods", "paths", "ports"})
_ANY = (("GET", "/any"), ("POST", "/any"))


class _Grant(NamedTuple):
    """One source and one operation of a rule; empty means all."""

    policy: Object
    at: str
    source: Mapping[str, Any]
    operation: Mapping[str, Any]


def faults(bundle: Bundle) -> Iterator[Fault]:
    policies = list(bundle.of("AuthorizationPolicy", GROUP))
    if not policies:
        return
    if not any(one.get("spec") == {} for one in policies):
        for space in bundle.of("Namespace"):
            yield space.fault("metadata.name", "no AuthorizationPolicy denies what no other allows")
    picture = Picture(bundle)
    callees = [party for party in picture.ours if party.meshed]
    for party in callees:
        selecting = [one for one in policies if _selects(one, party) and one.get("spec", "action") in (None, "ALLOW")]
        if not selecting and party.pod:
            yield party.pod.owner.fault("metadata.name", "no AuthorizationPolicy keeps who may call it: all may")
            continue
        mine = [edge for edge in picture.edges if edge.callee.name == party.name]
        grants = [grant for one in selecting for grant in _grants(one)]
        for edge in mine:
            yield from _missing(edge, grants)
        for grant in grants:
            yield from _needless(grant, party, mine, (*picture.ours, *AROUND))
    for one in policies:
        yield from _unknown(one)


def _selects(policy: Object, party: Party) -> bool:
    return policy.map("spec", "selector", "matchLabels").items() <= party.labels.items()


def _grants(policy: Object) -> Iterator[_Grant]:
    for n, rule in rows(policy.get("spec", "rules")):
        sources = [(f".from[{m}]", row.get("source") or {}) for m, row in rows(rule.get("from"))] or [("", {})]
        operations = [row.get("operation") or {} for _, row in rows(rule.get("to"))] or [{}]
        for (at, source), operation in itertools.product(sources, operations):
            yield _Grant(policy, f"spec.rules[{n}]{at}", source, operation)


def _unknown(policy: Object) -> Iterator[Fault]:
    """What this check does not read would be an edge that nobody computed."""
    if policy.get("spec", "action") not in (None, "ALLOW"):
        yield policy.fault("spec.action", "edges are allowed one by one; nothing else is computed")
    for n, rule in rows(policy.get("spec", "rules")):
        if rule.get("when"):
            yield policy.fault(f"spec.rules[{n}].when", "conditions are not computed")
    for grant in _grants(policy):
        for name in sorted({*grant.source} - _KNOWN_SOURCE | {*grant.operation} - _KNOWN_OPERATION):
            yield policy.fault(grant.at, f"{name} is not computed")


def _is(grant: _Grant, caller: Party) -> bool:
    if not grant.source:
        return True
    if not caller.namespace:
        return False
    whole = f"cluster.local/ns/{caller.namespace}/sa/{caller.account}"
    by_account = any(_fits(str(wanted), whole) for wanted in grant.source.get("principals") or ())
    return by_account or any(_fits(str(wanted), caller.namespace) for wanted in grant.source.get("namespaces") or ())


def _fits(pattern: str, value: str) -> bool:
    if pattern.startswith("*"):
        return value.endswith(pattern[1:])
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern


def _takes(operation: Mapping[str, Any], method: str, path: str, port: str) -> bool:
    asked = {"methods": method, "paths": path, "ports": port}
    return all(any(_fits(str(one), asked[name]) for one in wanted) for name, wanted in operation.items())


def _missing(edge: Edge, grants: list[_Grant]) -> Iterator[Fault]:
    port = min(edge.ports).partition("/")[2] or "1"
    for method, path in sorted(edge.operations) or _ANY:
        if not any(_is(grant, edge.caller) and _takes(grant.operation, method, path, port) for grant in grants):
            asked = f"{method} {path} " if edge.operations else ""
            what = f"{edge.caller.name} asks {edge.callee.name} {asked}on {port}, and no AuthorizationPolicy lets it"
            yield edge.owner.fault(edge.at, what)
            return


def _needless(grant: _Grant, callee: Party, edges: list[Edge], everyone: tuple[Party, ...]) -> Iterator[Fault]:
    ports = frozenset(f"TCP/{port}" for port in grant.operation.get("ports") or ())
    listens = callee.ports.union(*(edge.ports for edge in edges))
    if ports and not ports & listens:
        return
    seen: set[tuple[str, str]] = set()
    for caller in everyone:
        key = (caller.namespace, caller.account)
        if key in seen or not _is(grant, caller):
            continue
        seen.add(key)
        mine = [edge for edge in edges if _same(edge.caller, caller)]
        if not _wanted(grant, callee, mine, ports):
            what = f"lets {caller.name} ask {callee.name} {_told(grant.operation)}, which is no edge of the picture"
            yield grant.policy.fault(grant.at, what)


def _same(one: Party, other: Party) -> bool:
    """The mesh knows accounts, not pods."""
    return (one.namespace, one.account) == (other.namespace, other.account)


def _wanted(grant: _Grant, callee: Party, edges: list[Edge], ports: frozenset[str]) -> bool:
    """Whether the edges cover all that is granted. Which ports of a Knative pod is the NetworkPolicies' to say."""
    for edge in edges:
        every = callee.knative or EVERY_PORT in edge.ports
        if not edge.operations and (every or (ports and ports <= edge.ports)):
            return True
    methods, paths = grant.operation.get("methods") or (), grant.operation.get("paths") or ()
    granted = set(itertools.product(methods, paths))
    return bool(granted) and granted <= {one for edge in edges for one in edge.operations}


def _told(operation: Mapping[str, Any]) -> str:
    return " ".join(",".join(str(one) for one in wanted) for wanted in operation.values()) or "everything"
