import pytest

from functions.detect.registry import Registry
from tests.fakes.detectors import WordDetector


def test_two_detectors_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two detectors are named cats"):
        Registry([WordDetector("cats"), WordDetector("cats")])


def test_listing_loads_nothing() -> None:
    cats = WordDetector("cats")
    listed = Registry([cats]).list()
    assert [(d.id, d.version, d.family, d.loaded) for d in listed.detectors] == [("cats", "1.0", "pii", False)]
    assert cats.loads == 0


def test_a_name_that_is_not_there_has_no_slot() -> None:
    assert Registry([WordDetector("cats")]).slot("dogs") is None


def test_a_second_loader_does_not_wait_longer_than_told() -> None:
    slot = Registry([WordDetector("cats")]).slot("cats")
    assert slot is not None
    with slot._loading:
        assert slot.ensure_loaded(0.0) is False
    assert slot.ensure_loaded(0.0) is True
