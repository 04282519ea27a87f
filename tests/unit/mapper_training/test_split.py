import pytest

from mapper_serving.vocabulary import read_all
from mapper_training.setting import VOCABULARIES
from mapper_training.split import FAMILIES, FOLDS, everyone, family, folds, split

REAL = read_all(VOCABULARIES)


def test_every_family_is_dealt_once() -> None:
    dealt = [name for part in folds(REAL) for name in part]
    assert sorted(dealt) == sorted({family(v.detector) for v in REAL})


def test_folds_of_one_seed_are_the_same() -> None:
    assert folds(REAL) == folds(tuple(reversed(REAL)))


@pytest.mark.parametrize("test", range(FOLDS))
def test_no_family_is_in_two_parts(test: int) -> None:
    parts = split(folds(REAL), test)
    assert not parts.train & parts.test
    assert parts.train | parts.test == {family(v.detector) for v in REAL}


def test_every_family_tests_in_one_fold() -> None:
    parts = folds(REAL)
    tested = [name for test in range(FOLDS) for name in split(parts, test).test]
    assert len(tested) == len(set(tested)) == len({family(v.detector) for v in REAL})


def test_the_served_adapter_learns_from_all() -> None:
    assert everyone(folds(REAL)).train == {family(v.detector) for v in REAL}


def test_families_name_detectors_that_exist() -> None:
    assert set(FAMILIES) <= {v.detector for v in REAL}
