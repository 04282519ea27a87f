import gzip
import hashlib
import importlib.util
import json
from pathlib import Path

import pytest

from llama_mapper.taxonomy.retrieval import Entry, Found, Index
from mapper_training.asking import Asking, NoAnswers, keeps_zero_shot
from mapper_training.data import Example, Posed

without_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is not None, reason="here the model itself would be asked"
)


def posed(prompt: str) -> Posed:
    example = Example("word", None, None, "v", (("PII.Email", "exact"),), "curated")
    return Posed(example, prompt, "", (Found("PII.Email", 0.8, 0.7, 0.0, ""),), ())


ASKED = [posed("one ->"), posed("two ->")]


def keep(
    home: Path,
    name: str = "fold0-kind_told",
    prompts: tuple[str, str] = ("one ->", "two ->"),
    adapter: str | None = "ab",
) -> None:
    answers = (
        {"letters": [0.7], "none": 0.3, "relations": {"exact": 1.0}},
        {"letters": [0.1], "none": 0.9, "relations": {}},
    )
    keys = [hashlib.sha256(prompt.encode()).hexdigest()[:16] for prompt in prompts]
    kept = {"adapter": "ab", "said": dict(zip(keys, answers, strict=True))}
    (home / "answers").mkdir(exist_ok=True)
    (home / "answers" / f"{name}.json.gz").write_bytes(gzip.compress(json.dumps(kept).encode()))


def test_kept_answers_need_no_model(tmp_path: Path) -> None:
    keep(tmp_path)
    found = Asking(tmp_path, 1).ask(ASKED, tmp_path / "no-adapter", "fold0-kind_told", 6)
    assert [(list(one.letters), one.none) for one in found] == [([0.7], 0.3), ([0.1], 0.9)]


@without_torch
def test_answers_to_other_prompts_are_no_answers(tmp_path: Path) -> None:
    keep(tmp_path, prompts=("one ->", "three ->"))
    with pytest.raises(NoAnswers, match="fold0-kind_told to other prompts"):
        Asking(tmp_path, 1).ask(ASKED, None, "fold0-kind_told", 6)


@without_torch
def test_answers_of_other_weights_are_no_answers(tmp_path: Path) -> None:
    keep(tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"trained since")
    with pytest.raises(NoAnswers, match="other weights"):
        Asking(tmp_path, 1).ask(ASKED, tmp_path, "fold0-kind_told", 6)


@without_torch
def test_what_is_not_kept_is_said_before_anything_slow(tmp_path: Path) -> None:
    keep(tmp_path)
    asking = Asking(tmp_path, 1)
    asking.can_answer(["fold0-kind_told"])
    with pytest.raises(NoAnswers, match=r"keeps no answers of fold1-kind_told$"):
        asking.can_answer(["fold0-kind_told", "fold1-kind_told"])


def test_the_bare_base_counts_where_all_its_folds_are_kept(tmp_path: Path) -> None:
    keep(tmp_path, "zero0-kind_told")
    assert keeps_zero_shot(tmp_path, [0])
    assert not keeps_zero_shot(tmp_path, [0, 1])


@without_torch
def test_a_prompt_in_a_hundred_may_be_new(tmp_path: Path) -> None:
    keep(tmp_path)
    found = Asking(tmp_path, 1).ask([*ASKED * 50, posed("new ->")], None, "fold0-kind_told", 6)
    assert found[-1].letters == (0.5,)


def test_a_ranker_is_fitted_once_for_an_index(tmp_path: Path) -> None:
    index, other = (Index([Entry(("PII.Email",), text)]) for text in ("mail", "e mail"))
    fits = iter(["first", "second"])
    asking = Asking(tmp_path, 1)
    assert [asking.ranker(0, i, lambda: next(fits)) for i in (index, index, other)] == ["first", "first", "second"]
