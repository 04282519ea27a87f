"""Prices are data, and time that several answers shared is charged once."""

import contextlib
from pathlib import Path

import pytest

from llama_mapper.chassis.settings import SettingsError
from mapper_serving.completion import Completion
from mapper_serving.prices import Busy, Meter, ModelRate, Prices, Rate, read_prices, unpriced
from mapper_serving.settings import Settings

HOSTED = ModelRate(model="hosted-8b*", prompt_dollars_per_1k_tokens=0.3, completion_dollars_per_1k_tokens=0.6)
TABLE = Prices(
    version="1",
    source="A test.",
    models=(HOSTED, ModelRate(model="gpu-?", dollars_per_hour=3.6), ModelRate(model="*-8b*", dollars_per_hour=7.2)),
    default=Rate(dollars_per_hour=0.36),
)


def completion() -> Completion:
    return Completion(letters=(0.9,), none=0.1, relations={}, prompt_tokens=1000, completion_tokens=500)


class Clock:
    """Says the time that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("model", "dollars_per_hour"),
    [
        ("hosted-8b-instruct", 0.0),  # the first match counts
        ("other-8b", 7.2),
        ("gpu-1", 3.6),
        ("gpu-12", 0.36),  # ? is one character
        ("GPU-1", 0.36),
        ("mapper-llm", 0.36),
    ],
)
def test_the_first_rate_whose_pattern_fits_counts(model: str, dollars_per_hour: float) -> None:
    assert TABLE.rate(model).dollars_per_hour == dollars_per_hour


def test_tokens_cost_by_the_thousand_and_time_by_the_hour() -> None:
    assert TABLE.rate("hosted-8b").microdollars(1000, 500, 3600.0) == pytest.approx(600_000)
    assert TABLE.rate("gpu-1").microdollars(1000, 500, 0.5) == pytest.approx(500)


def test_a_meter_says_what_was_used_and_by_which_table_it_was_priced() -> None:
    usage = Meter(TABLE, "gpu-1", Busy()).usage(completion(), 0.25, 0.3)
    assert (usage.prompt_tokens, usage.completion_tokens, usage.compute_seconds) == (1000, 500, 0.25)
    assert (usage.latency_ms, usage.cost_microdollars, usage.prices) == (300.0, 250.0, "1")


def test_a_completion_that_two_share_has_its_tokens_charged_once() -> None:
    meter, shared = Meter(TABLE, "hosted-8b", Busy()), completion()
    costs = [meter.usage(one, 0.1, 0.1).cost_microdollars for one in (shared, shared, completion())]
    assert costs == [600_000, 0, 600_000]


def test_an_unpriced_answer_is_counted_and_free() -> None:
    usage = unpriced().usage(completion(), 0.25, 0.3)
    assert (usage.prompt_tokens, usage.cost_microdollars) == (1000, 0.0)


def test_an_answer_alone_is_charged_all_its_time() -> None:
    clock = Clock()
    with Busy(clock).answering() as share:
        clock.now = 2.0
    assert share.seconds == 2.0


def test_two_answers_share_the_time_in_which_both_are_made() -> None:
    clock = Clock()
    busy = Busy(clock)
    with busy.answering() as first:
        clock.now = 1.0  # alone
        with busy.answering() as second:
            clock.now = 3.0  # both
        clock.now = 3.5  # alone
    assert (first.seconds, second.seconds) == (1.0 + 1.0 + 0.5, 1.0)


def test_what_all_are_charged_is_the_time_the_predictor_was_busy() -> None:
    clock = Clock()
    busy = Busy(clock)
    charged = 0.0
    for start in (0.0, 100.0):  # the pause between is nobody's
        clock.now = start
        blocks = [busy.answering() for _ in range(16)]
        shares = [block.__enter__() for block in blocks]
        for block in blocks:
            clock.now += 0.1
            block.__exit__(None, None, None)
        charged += sum(share.seconds for share in shares)
    assert charged == pytest.approx(2 * 1.6)


def test_an_answer_that_fails_bears_its_share() -> None:
    clock = Clock()
    busy = Busy(clock)
    with busy.answering() as good:
        with contextlib.suppress(TimeoutError), busy.answering():
            clock.now = 2.0
            raise TimeoutError
        clock.now = 3.0
    assert good.seconds == 2.0


def test_the_table_we_ship_is_readable_and_prices_a_laptop() -> None:
    prices = read_prices(Settings.model_fields["prices"].default)
    assert prices.rate("mapper-llm").dollars_per_hour > 0


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("version: 1\nsource: x\ndefault: {}", "version"),
        ('version: "1"\nsource: x\ndefault: {dollars_per_hour: -1}', "default.dollars_per_hour"),
        ('version: "1"\nsource: x\ndefault: {}\nmodels: [{model: "a b"}]', "models.0.model"),
        ('version: "1"\nsource: x\ndefault: {}\neuro: 3', "euro"),
        ("[", "no readable table"),
    ],
)
def test_a_wrong_table_is_refused_with_its_field(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "prices.yaml").write_text(text)
    with pytest.raises(SettingsError, match=f"MAPPER_PRICES.*{named}"):
        read_prices(tmp_path / "prices.yaml")
