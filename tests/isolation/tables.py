"""The tables of docs/isolation.md and docs/attacks.md, made of what the tests themselves run on."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from .attacks import ATTACKS, ELSEWHERE
from .operations import KEPT_APART, OPERATIONS
from .stores import ELSEWHERE as OTHER_STORES
from .stores import REDIS, TABLES

DOCS = Path(__file__).parents[2] / "docs"
_APART = {
    "named": "the tenant is in the name",
    "id": "unguessable id; whose it is is checked when it is read",
    "hmac": "the name is a keyed hash over the tenant or person",
    "field": "each entry stands under its tenant",
    "shared": "nothing of a tenant's",
}


def operations() -> str:
    rows = [
        (one.service, f"`{one.name}`", one.stores, KEPT_APART[one.how]) for one in OPERATIONS if one.stores != "none"
    ]
    return _table(("service", "operation", "stores", "whose data"), rows)


def redis() -> str:
    rows = [(f"`{one.pattern}`", one.holds, _APART[one.apart], "yes" if one.sealed else "") for one in REDIS]
    return _table(("key", "holds", "kept apart", "sealed"), rows)


def tables() -> str:
    return _table(("table", "holds"), [(f"`{name}`", holds) for name, holds in TABLES.items()])


def elsewhere() -> str:
    return _table(("place", "holds", "kept apart"), OTHER_STORES)


def attacks() -> str:
    rows = [(one.kind, one.name, f"{one.answer[0]} `{one.answer[1]}`") for one in ATTACKS]
    return _table(("kind", "what is tried", "answer"), rows)


def other_attacks() -> str:
    rows = [(one.kind, one.name, one.answer, f"`{one.test.rpartition('/')[2]}`") for one in ELSEWHERE]
    return _table(("kind", "what is tried", "answer", "test"), rows)


def _table(names: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(names)
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


PAGES: Mapping[str, Mapping[str, str]] = {
    "isolation.md": {"operations": operations(), "redis": redis(), "tables": tables(), "elsewhere": elsewhere()},
    "attacks.md": {"attacks": attacks(), "other attacks": other_attacks()},
}


def written(page: str) -> str:
    """*page* as it is to be: its text, with the tables of now."""
    text = (DOCS / page).read_text("utf-8")
    for name, table in PAGES[page].items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        head, _, rest = text.partition(begin)
        text = f"{head}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    return text
