from mapper_training.setting import EXPERIMENTS
from mapper_training.train import Row, batches, read_plan

ROWS = [Row(ids=tuple(range(n % 17 + 1)), letter=n, mark=0) for n in range(100)]


def test_every_row_is_seen_once_an_epoch() -> None:
    seen = [row.letter for batch in batches(ROWS, 8, 1, 3) for row in batch]
    assert sorted(seen) == list(range(100))


def test_the_order_of_a_seed_is_the_same_so_that_a_run_can_go_on() -> None:
    assert list(batches(ROWS, 8, 2, 3)) == list(batches(ROWS, 8, 2, 3))


def test_epochs_differ() -> None:
    order = list(batches(ROWS, 8, 2, 3))
    assert order[: len(order) // 2] != order[len(order) // 2 :]


def test_rows_of_a_batch_are_of_like_length() -> None:
    spreads = [max(len(r.ids) for r in b) - min(len(r.ids) for r in b) for b in batches(ROWS, 8, 1, 3)]
    assert max(spreads) <= 3


def test_every_experiment_has_a_plan_that_can_be_read() -> None:
    plans = [read_plan(path.parent) for path in sorted(EXPERIMENTS.glob("*/training.json"))]
    assert plans
