from pathlib import Path
from typing import Any

import pytest

from mapper_training.data import Example, Posed
from mapper_training.loop import Row
from mapper_training.plan import CannotTrain, Plan
from mapper_training.setting import EXPERIMENTS
from mapper_training.train import fingerprint, folders, rows

HOME = EXPERIMENTS / "smollm2-hard"
ROW = Row(ids=(1, 2), letter=3, mark=4)


class LetterTokenizer:
    """One token a character, a space joined to what follows; or *whole*: an answer is one token."""

    def __init__(self, whole: bool = False) -> None:
        self._whole = whole

    def encode(self, text: str, add_special_tokens: bool) -> list[int]:
        said = text.lstrip(" ")
        if self._whole and len(said) > 1:
            return [ord(said[0]) * 1000 + ord(said[1])]
        return [ord(letter) + 1000 * (text.startswith(" ") and not i) for i, letter in enumerate(said)]

    def __call__(self, texts: list[str]) -> dict[str, list[list[int]]]:
        return {"input_ids": [[1, *map(ord, text)] for text in texts]}


def posed(answer: str) -> Posed:
    fields: dict[str, Any] = dict.fromkeys(Posed.__dataclass_fields__, ())
    example = Example("word", None, None, "vendor", (), "curated")
    return Posed(**fields | {"example": example, "prompt": "ab", "answer": answer})


def test_a_row_holds_the_prompt_and_the_answers_two_tokens() -> None:
    assert rows(LetterTokenizer(), [posed(" B<")], 3) == [
        Row(ids=(1, ord("a"), ord("b")), letter=ord("B") + 1000, mark=ord("<"))
    ]


def test_a_base_whose_tokenizer_joins_letter_and_mark_is_refused() -> None:
    with pytest.raises(CannotTrain, match="not two tokens"):
        rows(LetterTokenizer(whole=True), [posed(" B<")], 3)


@pytest.mark.parametrize(
    "plan",
    [
        Plan(minutes=1),
        Plan(threads=1),
        Plan(device="cuda"),
        Plan(gradient_checkpointing=True),
        Plan(micro_batch=2),
        Plan(checkpoint_minutes=1),
    ],
)
def test_a_run_may_go_on_elsewhere_and_for_longer(plan: Plan) -> None:
    assert fingerprint(plan, HOME, "base", [ROW]) == fingerprint(Plan(), HOME, "base", [ROW])


@pytest.mark.parametrize(
    ("plan", "home", "base", "data"),
    [
        (Plan(learning_rate=1e-4), HOME, "base", [ROW]),
        (Plan(seed=8), HOME, "base", [ROW]),
        (Plan(batch=4), HOME, "base", [ROW]),
        (Plan(), EXPERIMENTS / "llama-3-8b", "base", [ROW]),
        (Plan(), HOME, "another", [ROW]),
        (Plan(), HOME, "base", [ROW, ROW]),
        (Plan(), HOME, "base", [ROW.model_copy(update={"letter": 5})]),
    ],
    ids=["rate", "seed", "batch", "lora", "base", "more-data", "other-data"],
)
def test_a_run_may_not_go_on_as_another(plan: Plan, home: Path, base: str, data: list[Row]) -> None:
    assert fingerprint(plan, home, base, data) != fingerprint(Plan(), HOME, "base", [ROW])


def test_the_adapter_of_all_vendors_lies_in_its_experiment_and_a_folds_beside_its_checkpoint() -> None:
    assert folders("smollm2-hard", "all").target == HOME / "adapter"
    assert folders("smollm2-hard", "1").target == Path(".cache/training/smollm2-hard/fold1/adapter")
