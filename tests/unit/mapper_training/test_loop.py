"""The loop, on a tiny model of random weights where torch is installed (`make test-model` runs it there)."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mapper_training import checkpoint
from mapper_training.loop import Row, Trainer, batches, count_steps
from mapper_training.plan import CannotTrain, Plan
from mapper_training.progress import Event, Kept, Stepped
from mapper_training.train import load
from tests.fakes import tiny_llama

ROWS = [Row(ids=tuple(range(n % 17 + 1)), letter=n, mark=0) for n in range(100)]
VOCABULARY = 128

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="torch is not installed here: `make test-model` has it"
)


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


@pytest.mark.parametrize(("examples", "steps"), [(16, 4), (17, 6), (15, 4), (1, 2)])
def test_the_last_batch_of_an_epoch_may_be_short(examples: int, steps: int) -> None:
    assert count_steps(examples, Plan(batch=8, epochs=2)) == steps


def learnable() -> list[Row]:
    """Rows whose letter is the one that stands first in them, of several lengths."""
    return [
        Row(ids=(20 + n % 5, *(40 + (n * m) % 50 for m in range(3 + n % 9))), letter=20 + n % 5, mark=n % 2)
        for n in range(60)
    ]


class Runs:
    """Trains one tiny base, each time from its beginning or from a folder's checkpoint."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._base = tiny_llama.write_base(folder / "base", VOCABULARY)
        self.events: list[Event] = []

    def trainer(self, name: str, plan: Plan, dropout: float = 0.0) -> Trainer:
        home = self._folder / f"experiment{dropout}"
        if not home.exists():
            tiny_llama.write_experiment(home, "{}", dropout)
        work = self._folder / name
        work.mkdir(exist_ok=True)
        model = load(self._base, home, plan)
        steps = count_steps(len(learnable()), plan)
        return Trainer(plan, model, work, steps, "the same", self.events.append)

    def resumed(self, name: str, plan: Plan, dropout: float = 0.0) -> Trainer:
        trainer = self.trainer(name, plan, dropout)
        state = checkpoint.choose(self._folder / name, "the same", True)
        assert state is not None
        trainer.resume(state)
        return trainer


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    import torch

    torch.set_num_threads(1)
    return Runs(tmp_path)


def weights(trainer: Trainer) -> list[Any]:
    return [exact.detach().clone() for exact in trainer._exact]


def same(these: list[Any], those: list[Any]) -> bool:
    return all(a.equal(b) for a, b in zip(these, those, strict=True))


def after(count: int) -> Callable[[], bool]:
    """Ask to stop before step *count* (from 0)."""
    asked = iter([False] * count)
    return lambda: next(asked, True)


PLAN = Plan(batch=8, epochs=4, minutes=None, learning_rate=3e-3, warmup_steps=3, checkpoint_minutes=1000)


@needs_torch
@pytest.mark.parametrize("dropout", [0.0, 0.3], ids=["no-chance", "dropout"])
@pytest.mark.parametrize("at", [0, 5, 11, 31], ids=lambda at: f"after-{at}")
def test_a_run_that_was_interrupted_gives_the_weights_of_one_that_was_not(runs: Runs, at: int, dropout: float) -> None:
    whole = runs.trainer("whole", PLAN, dropout)
    assert whole.run(learnable())
    first = runs.trainer("halves", PLAN, dropout)
    assert not first.run(learnable(), after(at))
    assert first.step == at
    second = runs.resumed("halves", PLAN, dropout)
    assert second.run(learnable())
    assert same(weights(whole), weights(second))
    assert second.losses == whole.losses


@needs_torch
def test_without_chances_state_a_resumed_run_with_dropout_would_differ(runs: Runs) -> None:
    whole = runs.trainer("whole", PLAN, 0.3)
    whole.run(learnable())
    runs.trainer("halves", PLAN, 0.3).run(learnable(), after(5))
    second = runs.trainer("halves", PLAN, 0.3)
    state = checkpoint.choose(runs._folder / "halves", "the same", True)
    assert state is not None
    second.resume({**state, "chance": second_chance()})
    second.run(learnable())
    assert not same(weights(whole), weights(second))


def second_chance() -> Any:
    import torch

    return torch.Generator().manual_seed(99).get_state()


@needs_torch
def test_a_run_that_has_ended_is_left_as_it_is(runs: Runs) -> None:
    runs.trainer("one", PLAN).run(learnable())
    kept = (runs._folder / "one" / checkpoint.FILE).read_bytes()
    again = runs.resumed("one", PLAN)
    assert again.run(learnable())
    assert (runs._folder / "one" / checkpoint.FILE).read_bytes() == kept


@needs_torch
def test_a_run_is_the_same_each_time_and_another_with_another_seed(runs: Runs) -> None:
    found = []
    for name, seed in (("one", 7), ("two", 7), ("three", 8)):
        trainer = runs.trainer(name, PLAN.model_copy(update={"seed": seed}))
        trainer.run(learnable())
        found.append(weights(trainer))
    assert same(found[0], found[1])
    assert not same(found[0], found[2])


@needs_torch
@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "recomputed"])
def test_the_loss_falls(runs: Runs, checkpointing: bool) -> None:
    plan = PLAN.model_copy(update={"gradient_checkpointing": checkpointing, "epochs": 20, "learning_rate": 1e-2})
    trainer = runs.trainer("one", plan)
    assert trainer.run(learnable())
    assert sum(trainer.losses[-8:]) < 0.5 * sum(trainer.losses[:8])


@needs_torch
def test_recomputing_activations_changes_no_gradient(runs: Runs) -> None:
    kept, recomputed = (
        gradients(runs.trainer(str(flag), PLAN.model_copy(update={"gradient_checkpointing": flag})))
        for flag in (False, True)
    )
    assert same(kept, recomputed)


@needs_torch
def test_activations_are_not_kept_where_they_are_recomputed(runs: Runs) -> None:
    kept, recomputed = (
        activation_bytes(runs.trainer(str(flag), PLAN.model_copy(update={"gradient_checkpointing": flag})))
        for flag in (False, True)
    )
    assert recomputed < kept / 2


@needs_torch
def test_the_backward_pass_ends_at_the_lowest_layer_that_has_an_adapter(runs: Runs) -> None:
    trainer = runs.trainer("one", PLAN.model_copy(update={"gradient_checkpointing": True}))
    reached: list[bool] = []
    decoder = trainer._model.base_model.model.model
    decoder.layers[1].register_forward_hook(lambda _, given, out: reached.append(out.requires_grad))
    trainer.loss(learnable()[:4])
    assert reached == [False]


@needs_torch
@pytest.mark.parametrize("micro", [1, 3, 8])
def test_a_batch_cut_into_micro_batches_has_the_same_gradient(runs: Runs, micro: int) -> None:
    import torch

    whole = gradients(runs.trainer("whole", PLAN), 7)
    cut = gradients(runs.trainer("cut", PLAN.model_copy(update={"micro_batch": micro})), 7)
    for a, b in zip(whole, cut, strict=True):
        torch.testing.assert_close(a, b, rtol=0.05, atol=2e-3 * float(a.abs().max() + 1e-6))


@needs_torch
def test_minutes_end_a_run_that_has_steps_left(runs: Runs) -> None:
    trainer = runs.trainer("one", PLAN.model_copy(update={"minutes": 1e-9}))
    assert trainer.run(learnable())
    assert trainer.step == 1
    assert isinstance(runs.events[-2], Stepped)
    assert runs.events[-2].share == 1.0


@needs_torch
def test_a_checkpoint_is_kept_as_often_as_the_plan_says(runs: Runs) -> None:
    runs.trainer("one", PLAN.model_copy(update={"checkpoint_minutes": 0})).run(learnable(), after(3))
    assert [event.step for event in runs.events if isinstance(event, Kept)] == [1, 2, 3, 3]


@needs_torch
@pytest.mark.parametrize(
    ("fingerprint", "resume", "says"),
    [("another", True, "other data"), ("the same", None, "stopped at step 2"), ("the same", True, None)],
)
def test_a_run_goes_on_only_from_its_own_checkpoint_and_when_told_to(
    runs: Runs, fingerprint: str, resume: bool | None, says: str | None
) -> None:
    runs.trainer("one", PLAN).run(learnable(), after(2))
    if says:
        with pytest.raises(CannotTrain, match=says):
            checkpoint.choose(runs._folder / "one", fingerprint, resume)
    else:
        found = checkpoint.choose(runs._folder / "one", fingerprint, resume)
        assert found is not None
        assert found["step"] == 2


@needs_torch
@pytest.mark.parametrize(
    ("fingerprint", "steps", "resume"), [("another", 2, None), ("the same", 2, False), ("the same", 99, None)]
)
def test_a_run_begins_again_where_nothing_of_worth_is_lost(
    runs: Runs, fingerprint: str, steps: int, resume: bool | None
) -> None:
    runs.trainer("one", PLAN).run(learnable(), after(steps))
    assert checkpoint.choose(runs._folder / "one", fingerprint, resume) is None


def gradients(trainer: Trainer, count: int = 8) -> list[Any]:
    """The gradient that one step descends, not clipped."""
    found: list[Any] = []
    trainer._optimizer.register_step_pre_hook(lambda *_: found.extend(e.grad.clone() for e in trainer._exact))
    trainer._plan = trainer._plan.model_copy(update={"max_norm": 1e9})
    trainer.update(learnable()[:count])
    return found


def activation_bytes(trainer: Trainer) -> int:
    """What one forward pass keeps for the backward pass, parameters apart."""
    import torch

    weights = {p.untyped_storage().data_ptr() for p in trainer._model.parameters()}
    held: dict[int, int] = {}

    def keep(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            held[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        trainer.loss(learnable()[:8])
    return sum(held.values())
