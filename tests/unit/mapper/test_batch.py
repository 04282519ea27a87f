"""Many findings in one request: some at a time, equal ones once, and patient where a single one is not."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from llama_mapper.contracts.mapping import Mapping, VendorFinding, Versions
from llama_mapper.taxonomy import Taxonomy
from mapper_serving.batch import AT_ONCE, map_all
from mapper_serving.resolution import Resolution
from mapper_serving.rules import Rules
from mapper_serving.service import Mapper
from mapper_serving.turns import Turns
from tests.fakes.mapping import KeepingCache, ListedReviews, SayingModel, finding, resolved


class WaitingModel(SayingModel):
    """Answers after a while by a predictor that has no time for whoever is in a hurry, and counts how many wait."""

    def __init__(self) -> None:
        super().__init__(resolved())
        self._turns: Turns[Resolution] = Turns(4)
        self._under_way = 0
        self.most_at_once = 0

    async def resolve(self, finding: VendorFinding, adapter: str) -> Resolution:
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            return await self._turns.ask(finding.label, lambda: self._later(finding, adapter), 0.0)
        finally:
            self._under_way -= 1

    async def _later(self, finding: VendorFinding, adapter: str) -> Resolution:
        for _ in range(5):
            await asyncio.sleep(0)
        return await super().resolve(finding, adapter)


async def mapped(
    model: SayingModel, taxonomy: Taxonomy, rules: Rules, labels: Sequence[str], seconds: float | None = None
) -> tuple[Mapping, ...]:
    mapper = Mapper(
        rules=rules,
        cache=KeepingCache(),
        reviews=ListedReviews(),
        versions=Versions(taxonomy=taxonomy.version, mapper="1"),
        model=model,
    )
    return await map_all(mapper, [finding(label) for label in labels], seconds=seconds)


@pytest.mark.parametrize(
    ("labels", "seconds", "method"),
    [
        (["one"], None, "fallback"),
        (["one", "two"], None, "model"),
        (["one"], 60.0, "model"),
        (["one", "two"], 0.0, "fallback"),
    ],
)
async def test_several_findings_wait_for_the_model_and_a_single_one_keeps_the_budget(
    taxonomy: Taxonomy, rules: Rules, labels: list[str], seconds: float | None, method: str
) -> None:
    answers = await mapped(WaitingModel(), taxonomy, rules, labels, seconds)
    assert [answer.method for answer in answers] == [method] * len(labels)


async def test_a_few_findings_of_a_request_are_under_way_at_once(taxonomy: Taxonomy, rules: Rules) -> None:
    model = WaitingModel()
    labels = [f"label {number}" for number in range(100)]
    answers = await mapped(model, taxonomy, rules, labels)
    assert [answer.provenance.vendor_label for answer in answers] == labels
    assert model.most_at_once == AT_ONCE


async def test_equal_findings_are_asked_once_and_each_keeps_its_place(taxonomy: Taxonomy, rules: Rules) -> None:
    model = WaitingModel()
    labels = [*"abcabcabcaab"]
    answers = await mapped(model, taxonomy, rules, labels)
    assert [answer.provenance.vendor_label for answer in answers] == labels
    assert sorted(model.asked) == ["a", "b", "c"]
    assert Counter(answer.method for answer in answers)["model"] == 3
