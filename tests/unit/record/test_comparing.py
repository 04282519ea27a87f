import pytest

from functions.record.comparing import wilson
from llama_mapper.contracts.experiments import Estimate


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_a_share_has_the_interval_that_is_published_for_it(hits: int, trials: int, low: float, high: float) -> None:
    share = wilson(hits, trials)
    assert (share.value, share.low, share.high) == pytest.approx((hits / trials, low, high), abs=5e-5)


def test_of_nothing_there_is_no_share() -> None:
    assert wilson(0, 0) == Estimate()
