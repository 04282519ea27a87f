"""NetworkPolicies allow exactly the picture's edges: one that is missing is a fault, and one too many is another."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .objects import Bundle, Fault, Object, rows
from .parties import API_SERVER, AROUND, Party
from .picture import ANYONE, EVERY_PORT, Edge, Picture
from .selectors import matches

_DIRECTIONS = (("Ingress", "ingress", "from", "in"), ("Egress", "egress", "to", "out"))


class _Grant(NamedTuple):
    """One peer of one rule: who it is about, whom it lets, on which ports."""

    policy: Object
    at: str
    peer: Mapping[str, Any] | None
    ports: frozenset[str]


def faults(bundle: Bundle) -> Iterator[Fault]:
    policies = list(bundle.of("NetworkPolicy", "networking.k8s.io"))
    if _held(policies):
        picture = Picture(bundle)
        yield from _denies_by_default(bundle, policies)
        for direction in _DIRECTIONS:
            yield from _Check(picture, policies, *direction).faults()


def held(bundle: Bundle) -> bool:
    """Whether the set's own pods are behind policies."""
    namespaces = _held(list(bundle.of("NetworkPolicy", "networking.k8s.io")))
    return any(party.namespace in namespaces for party in Picture(bundle).ours)


def _held(policies: list[Object]) -> set[str]:
    """The namespaces in which policies are for every pod: others let everything through, and mean to."""
    return {one.namespace for one in policies if one.get("spec", "podSelector") == {}}


def _denies_by_default(bundle: Bundle, policies: list[Object]) -> Iterator[Fault]:
    for kind, rules, _, way in _DIRECTIONS:
        if not any(
            one.get("spec", "podSelector") == {}
            and kind in one.get("spec", "policyTypes")
            and not one.get("spec", rules)
            for one in policies
        ):
            for space in (space for space in bundle.of("Namespace") if space.name in _held(policies)):
                yield space.fault("metadata.name", f"no NetworkPolicy denies what no other lets {way}")


class _Check:
    """One direction. *rules* and *peers* are the fields' names in a policy."""

    def __init__(self, picture: Picture, policies: list[Object], kind: str, rules: str, peers: str, way: str) -> None:
        self._picture, self._policies = picture, policies
        self._kind, self._rules, self._peers, self._way = kind, rules, peers, way
        self._everyone = (*picture.ours, *AROUND, *_others(picture))
        self._wanted: dict[tuple[str, str], frozenset[str]] = {}
        for edge in picture.edges:
            key = (edge.caller.name, edge.callee.name)
            self._wanted[key] = self._wanted.get(key, frozenset()) | edge.ports

    def faults(self) -> Iterator[Fault]:
        held = _held(self._policies)
        for party in (party for party in self._picture.ours if party.namespace in held):
            policies = [one for one in self._policies if self._selects(one, party)]
            if not policies and party.pod:
                yield party.pod.owner.fault("metadata.name", f"no NetworkPolicy keeps what comes {self._way}: all may")
                continue
            grants = [grant for one in policies for grant in self._grants(one)]
            for edge in self._picture.edges:
                yield from self._missing(edge, party, grants)
            for grant in grants:
                yield from self._needless(grant, party)

    def _selects(self, policy: Object, party: Party) -> bool:
        kinds = policy.get("spec", "policyTypes") or ["Ingress"]
        here = policy.namespace == party.namespace
        return here and self._kind in kinds and matches(policy.map("spec", "podSelector"), party.labels)

    def _grants(self, policy: Object) -> Iterator[_Grant]:
        for n, rule in rows(policy.get("spec", self._rules)):
            ports = frozenset(f"{row.get('protocol', 'TCP')}/{_port(row)}" for _, row in rows(rule.get("ports")))
            peers = list(rows(rule.get(self._peers)))
            at = f"spec.{self._rules}[{n}]"
            if not peers:
                yield _Grant(policy, at, None, ports or frozenset({EVERY_PORT}))
            for m, peer in peers:
                yield _Grant(policy, f"{at}.{self._peers}[{m}]", peer, ports or frozenset({EVERY_PORT}))

    def _missing(self, edge: Edge, party: Party, grants: list[_Grant]) -> Iterator[Fault]:
        mine, other = (edge.callee, edge.caller) if self._kind == "Ingress" else (edge.caller, edge.callee)
        if mine.name != party.name:
            return
        other = API_SERVER if other is ANYONE else other
        let = frozenset(port for grant in grants if _is(grant, other, party) for port in grant.ports)
        if EVERY_PORT not in let and (lacking := edge.ports - let):
            what = f"{edge.caller.name} needs {edge.callee.name} on {_told(lacking)}, and no NetworkPolicy lets it"
            yield edge.owner.fault(edge.at, f"{what} {self._way}")

    def _needless(self, grant: _Grant, party: Party) -> Iterator[Fault]:
        for other in self._everyone:
            if not _is(grant, other, party):
                continue
            caller, callee = (other, party) if self._kind == "Ingress" else (party, other)
            wanted = self._wanted.get((caller.name, callee.name), frozenset())
            wanted |= self._wanted.get((caller.name, ANYONE.name), frozenset())
            if needless := grant.ports - wanted:
                what = f"lets {caller.name} reach {callee.name} on {_told(needless)}, which is no edge of the picture"
                yield grant.policy.fault(grant.at, what)


def _others(picture: Picture) -> Iterator[Party]:
    """Namespaces that only this set names, such as that of Prometheus."""
    known = {party.name for party in (*picture.ours, *AROUND, ANYONE)}
    found = {edge.callee.name: edge.callee for edge in picture.edges if edge.callee.name not in known}
    return iter(found.values())


def _told(ports: frozenset[str]) -> str:
    return ", ".join(sorted(ports))


def _port(row: Mapping[str, Any]) -> str:
    last = row.get("endPort")
    return f"{row.get('port')}-{last}" if last else str(row.get("port", "every"))


def _is(grant: _Grant, other: Party, party: Party) -> bool:
    """Whether the grant's peer takes *other*; addresses are compared too, as some networks hold pods to them."""
    peer = grant.peer
    if peer is None:
        return True
    if isinstance(block := peer.get("ipBlock"), Mapping):
        address = ipaddress.ip_address(other.address)
        inside = address in ipaddress.ip_network(str(block.get("cidr")))
        return inside and not any(address in ipaddress.ip_network(str(cidr)) for cidr in block.get("except") or ())
    if not other.namespace:
        return False
    if "namespaceSelector" in peer:
        labels = {"kubernetes.io/metadata.name": other.namespace}
        if not matches(peer["namespaceSelector"], labels):
            return False
    elif other.namespace != party.namespace:
        return False
    return matches(peer.get("podSelector"), other.labels)
