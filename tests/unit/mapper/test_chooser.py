"""Retrieve and choose: the label the numbers favour, a confidence, and no answer before there can be one."""

import asyncio
import threading

import pytest

from llama_mapper.contracts.confidence import Stack
from llama_mapper.contracts.mapping import VendorFinding
from llama_mapper.contracts.problems import Unavailable
from llama_mapper.contracts.prompt import PROMPT_VERSION
from llama_mapper.taxonomy import load
from llama_mapper.taxonomy.retrieval import Index
from mapper_serving.candidates import Questions, entries
from mapper_serving.chooser import Chooser
from mapper_serving.completion import Completion
from mapper_serving.prices import Busy, Meter, Prices, Rate
from mapper_serving.settings import Settings
from mapper_serving.vocabulary import Vocabularies, read_all
from tests.fakes.experiments import card
from tests.fakes.predictor import SayingPredictor

TAXONOMY = load()
VOCABULARIES = Vocabularies(read_all(Settings().vocabularies))
QUESTIONS = Questions(Index(entries(VOCABULARIES.all, TAXONOMY)), VOCABULARIES)
RELATIONS = {"exact": 0.1, "broader": 0.8, "narrower": 0.05, "related": 0.05}
# As fitted numbers look: the model's odds and the ranker's count, an answer "none" counts against all.
STACK = Stack(weights=(0.0, 1.0, 0.5, 0.5, -0.5), reading=(0.0, 1.0, 0.1, 1.0))


def saying(*letters: float, none: float = 0.01) -> SayingPredictor:
    return SayingPredictor(
        Completion(letters=letters, none=none, relations=RELATIONS, prompt_tokens=80, completion_tokens=2)
    )


async def started(predictor: SayingPredictor, meter: Meter | None = None) -> Chooser:
    model = Chooser(lambda: QUESTIONS, predictor, card("adapter-1", stack=STACK), TAXONOMY, meter)
    model.start()
    while True:
        try:
            await model.resolve(VendorFinding(detector="nobody", label="warm_up"))
        except Unavailable:
            await asyncio.sleep(0)
            continue
        predictor.prompts.clear()
        return model


async def test_the_letter_the_model_favours_is_the_label() -> None:
    finding = VendorFinding(detector="nobody", label="cust_ssn_leak_v3")
    found = [f.label for f in QUESTIONS.ask(finding).found]
    predictor = saying(0.02, 0.95)
    resolution = await (await started(predictor)).resolve(finding)
    assert resolution.labels[0].label == found[1]
    assert resolution.labels[0].relation == "broader"
    assert (resolution.method, resolution.adapter, resolution.prompt) == ("model", "adapter-1", PROMPT_VERSION)


async def test_an_answer_says_what_it_took() -> None:
    table = Prices(version="1", source="A test.", default=Rate(prompt_dollars_per_1k_tokens=0.001))
    model = await started(saying(0.9), Meter(table, "mapper-llm", Busy()))
    usage = (await model.resolve(VendorFinding(detector="nobody", label="ssn"))).usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cost_microdollars) == (80, 2, 80.0)
    assert 0 <= usage.compute_seconds * 1000 <= usage.latency_ms


async def test_an_answer_tells_what_it_was_chosen_from_best_first() -> None:
    finding = VendorFinding(detector="nobody", label="cust_ssn_leak_v3")
    found = {f.label for f in QUESTIONS.ask(finding).found}
    model = await started(saying(0.02, 0.95))
    for resolution, relation in ((await model.resolve(finding), "broader"), (await model.guess(finding), "broader")):
        first, *others = resolution.candidates
        best = resolution.labels[0]
        assert (first.label, first.confidence, first.relation) == (best.label, best.confidence, relation)
        assert {one.label for one in resolution.candidates} == found
        assert all(one.confidence <= first.confidence and one.relation is None for one in others)


async def test_an_answer_of_none_lowers_the_confidence() -> None:
    finding = VendorFinding(detector="nobody", label="cust_ssn_leak_v3")
    sure = await (await started(saying(0.9, none=0.01))).resolve(finding)
    unsure = await (await started(saying(0.1, none=0.9))).resolve(finding)
    assert unsure.labels[0].confidence < sure.labels[0].confidence


async def test_the_prompt_holds_the_words_and_the_candidates_and_nothing_else_of_the_finding() -> None:
    predictor = saying(0.9)
    finding = VendorFinding(
        detector="nobody", label="cust_ssn_leak_v3", raw_ref="ref-4711", severity="SEVERE", score=0.5
    )
    await (await started(predictor)).resolve(finding)
    assert "cust ssn leak v 3" in predictor.prompts[0] or "cust ssn leak v3" in predictor.prompts[0]
    assert "social security" in predictor.prompts[0]
    assert "4711" not in predictor.prompts[0]
    assert "SEVERE" not in predictor.prompts[0]


async def test_while_the_index_is_built_the_model_is_unavailable() -> None:
    go_on = threading.Event()

    def build() -> Questions:
        go_on.wait(10)
        return QUESTIONS

    model = Chooser(build, saying(0.9), card("adapter-1", stack=STACK), TAXONOMY)
    with pytest.raises(Unavailable, match="being built"):
        await model.resolve(VendorFinding(detector="nobody", label="ssn"))
    go_on.set()


async def test_without_the_model_the_ranker_answers_and_says_so() -> None:
    resolution = await (await started(saying(0.9))).guess(VendorFinding(detector="nobody", label="social_security"))
    assert resolution.labels[0].label == "PII.Identifier.SocialSecurity"
    assert (resolution.method, resolution.model, resolution.adapter) == ("fallback", None, "adapter-1")


async def test_before_the_index_is_built_nothing_is_guessed() -> None:
    go_on = threading.Event()

    def build() -> Questions:
        go_on.wait(10)
        return QUESTIONS

    model = Chooser(build, saying(0.9), card("adapter-1", stack=STACK), TAXONOMY)
    assert (await model.guess(VendorFinding(detector="nobody", label="ssn"))).labels == ()
    go_on.set()


def test_a_finding_that_says_what_its_detector_is_for_is_believed() -> None:
    finding = VendorFinding(detector="nobody", label="new-rule", kind="secret")
    assert QUESTIONS.ask(finding).prompt.startswith("kind: secret")


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("cust_ssn_leak_v3", "PII.Identifier.SocialSecurity"),
        ("moderated_content/hate", "HARM.Hate"),
        ("emailAddress", "PII.Contact.Email"),
        ("PROMPT-INJECTION-DETECTED", "PROMPT_INJECTION"),
    ],
)
def test_the_right_label_is_among_the_candidates(label: str, expected: str) -> None:
    found = QUESTIONS.ask(VendorFinding(detector="nobody", label=label)).found
    assert expected in [f.label for f in found]


def test_what_a_detector_is_for_is_told_where_it_is_known() -> None:
    assert QUESTIONS.ask(VendorFinding(detector="gitleaks", label="new-rule")).prompt.startswith("kind: secret")
    assert "kind:" not in QUESTIONS.ask(VendorFinding(detector="nobody", label="new-rule")).prompt
