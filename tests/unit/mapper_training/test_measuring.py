import pytest

from mapper_training import measuring
from tests.fakes import measured


def test_a_figure_lies_in_its_interval() -> None:
    of = measuring.measure(measured.outcomes("ranker"), measured.nonsense("ranker"))
    for value, (low, high) in (
        (of["accuracy"], of["accuracy_interval"]),
        (of["at_coverage"]["macro_f1_of_covered"], of["at_coverage"]["macro_f1_interval"]),
        (of["at_threshold"]["macro_f1_of_covered"], of["at_threshold"]["macro_f1_interval"]),
    ):
        assert low <= value <= high


def at(coverage: float, f1: float) -> dict[str, object]:
    return {"at_coverage": {"coverage": coverage, "macro_f1_of_covered": f1}}


@pytest.mark.parametrize(
    ("figures", "best"),
    [
        ({"fuzzy": at(0.85, 0.7), "minilm": at(0.86, 0.8)}, "minilm"),
        ({"fuzzy": at(0.85, 0.7), "exact": at(0.47, 0.9)}, "fuzzy"),  # says too little to be a rival
        ({"fuzzy": at(0.85, 0.7), "ranker": at(0.85, 0.9)}, "fuzzy"),  # it is trained
        ({"fuzzy": at(0.85, 0.7), "zero_shot": at(0.85, 0.75)}, "zero_shot"),
        ({"exact": at(0.47, 0.9)}, "exact"),
    ],
)
def test_the_best_baseline_covers_enough_and_is_not_trained(figures: dict[str, dict[str, object]], best: str) -> None:
    assert measuring.best_baseline(figures) == best


def test_every_other_system_is_compared_with_the_best_baseline_and_the_ranker() -> None:
    result = measured.result()["differences"]["kind_told"]
    names = set(measured.SYSTEMS)
    assert result["best_baseline"] == "nearest"
    assert set(result["to_best_baseline"]) == names - {"nearest"}
    assert set(result["to_ranker"]) == names - {"ranker"}
    gain = result["to_best_baseline"]["model_and_ranker"]["accuracy"]
    assert 0 < gain["low"] <= gain["difference"] <= gain["high"]
