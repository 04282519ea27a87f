"""docs/isolation.md and docs/attacks.md say what the tests run on; ``python -m tests.isolation`` writes them again."""

import ast

import pytest

from tests.fakes.functions import ROOT
from tests.isolation.attacks import ATTACKS, ELSEWHERE, Elsewhere
from tests.isolation.tables import DOCS, PAGES, written


@pytest.mark.parametrize("page", PAGES)
def test_the_page_is_as_the_tests_are(page: str) -> None:
    assert (DOCS / page).read_text("utf-8") == written(page)


def test_every_attack_has_a_name_of_its_own() -> None:
    names = [(one.kind, one.name) for one in ATTACKS] + [(one.kind, one.name) for one in ELSEWHERE]
    assert len(names) == len(set(names))
    assert len(names) >= 100


@pytest.mark.parametrize("attack", ELSEWHERE, ids=lambda one: f"{one.kind}: {one.name}")
def test_an_attack_that_is_tried_elsewhere_is(attack: Elsewhere) -> None:
    file, _, name = attack.test.partition("::")
    tree = ast.parse((ROOT.parent / file).read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    assert name in {node.name for node in tree.body if isinstance(node, kinds)}
