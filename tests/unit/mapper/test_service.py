from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from llama_mapper.contracts.identifiers import CanonicalLabel, TenantId
from llama_mapper.contracts.mapping import MapRequest, VendorFinding, Versions
from llama_mapper.contracts.problems import InvalidRequest, RequestTimeout, Unavailable
from llama_mapper.contracts.reviews import Candidate, Decision
from llama_mapper.taxonomy import load
from mapper_serving.adapters import MemoryStore
from mapper_serving.review_memory import MemoryReviews
from mapper_serving.reviews import Doubted
from mapper_serving.rules import Rules
from mapper_serving.service import ANONYMOUS, Mapper, Model
from mapper_serving.settings import Settings
from mapper_serving.variants import Variant, Variants
from mapper_serving.vocabulary import Vocabularies, Vocabulary, read_all
from tests.fakes.mapping import (
    CountedFallbacks,
    KeepingCache,
    ListedAccounts,
    ListedReviews,
    SayingModel,
    SayingVersion,
    finding,
    names,
    resolved,
    used,
)

from .conftest import MINIMAL

DEMO = TenantId("demo")
EMAIL_AT_059 = Candidate(label=CanonicalLabel("PII.Contact.Email"), confidence=0.59, relation="exact")
TAXONOMY = load()
TOOL = Vocabulary.model_validate(
    MINIMAL
    | {"labels": {"EMAIL": "PII.Contact.Email", "SAFE": "negative", "VAGUE": {"to": "PII", "relation": "related"}}}
)


class Tried:
    """A mapper on fakes, and the fakes."""

    def __init__(self, model: Model | None = None, threshold: float = 0.6, over: str = "") -> None:
        self.cache, self.reviews, self.fallbacks = KeepingCache(), ListedReviews(), CountedFallbacks()
        self.accounts = ListedAccounts(over)
        self.mapper = Mapper(
            rules=Rules(Vocabularies([TOOL]), TAXONOMY),
            cache=self.cache,
            reviews=self.reviews,
            versions=Versions(taxonomy=TAXONOMY.version, mapper="1"),
            model=model,
            accounts=self.accounts,
            threshold=threshold,
            on_fallback=self.fallbacks,
        )


async def test_a_rule_answers_without_asking_cache_or_model() -> None:
    model = SayingModel(resolved())
    tried = Tried(model)
    mapping = await tried.mapper.map_finding(finding("EMAIL", "tool"))
    assert (names(mapping.labels), mapping.method, mapping.review) == (["PII.Contact.Email"], "rule", False)
    assert (model.asked, tried.cache.asked, tried.reviews.labels) == ([], [], [])


async def test_provenance_tells_who_said_what_and_by_what_it_was_mapped() -> None:
    said = finding("EMAIL", "tool", "1.2", severity="HIGH", raw_ref="finding/7", score=0.4)
    mapping = await Tried().mapper.map_finding(said)
    assert mapping.provenance.model_dump(exclude_none=True) == {
        "vendor": "tool",
        "detector": "tool",
        "detector_version": "1.2",
        "vendor_label": "EMAIL",
        "vendor_severity": "HIGH",
        "raw_ref": "finding/7",
        "vocabulary": "tool:any",
    }
    assert (mapping.versions.taxonomy, mapping.versions.mapper) == (TAXONOMY.version, "1")


async def test_a_label_nobody_knows_is_unknown_and_waits_for_a_person() -> None:
    tried = Tried()
    mapping = await tried.mapper.map_finding(finding("NEW", "tool"))
    assert [(one.label, one.confidence, one.severity) for one in mapping.labels] == [("OTHER.Unknown", 0.0, 1)]
    assert (mapping.method, mapping.review, mapping.negative) == ("fallback", True, False)
    assert tried.reviews.labels == ["NEW"]


async def test_the_model_answers_what_no_rule_knows_and_its_answer_is_kept() -> None:
    model = SayingModel(resolved())
    tried = Tried(model)
    first = await tried.mapper.map_finding(finding("NEW"))
    second = await tried.mapper.map_finding(finding("NEW"))
    assert (first.method, second.method) == ("model", "cache")
    assert first.labels == second.labels
    assert (second.provenance.model, second.provenance.adapter, second.provenance.prompt) == ("small", "lora.1", "p1")
    assert model.asked == ["NEW"]


@pytest.mark.parametrize(
    ("problem", "counted"),
    [
        (Unavailable("down"), "mapper.model.unavailable"),
        (RequestTimeout("late"), "mapper.model.request_timeout"),
    ],
)
async def test_a_model_that_is_down_is_a_counted_fallback(problem: Unavailable | RequestTimeout, counted: str) -> None:
    tried = Tried(SayingModel(problem))
    mapping = await tried.mapper.map_finding(finding("NEW"))
    assert (mapping.method, names(mapping.labels)) == ("fallback", ["OTHER.Unknown"])
    assert tried.fallbacks.names == [counted]
    assert tried.cache.kept == {}


async def test_a_model_that_is_unsure_is_not_believed_but_remembered() -> None:
    tried = Tried(SayingModel(resolved(confidence=0.59)))
    mapping = await tried.mapper.map_finding(finding("NEW"))
    assert (mapping.method, mapping.review) == ("fallback", True)
    assert list(tried.cache.kept) == ["NEW"]


async def test_what_the_model_took_is_on_its_answer_alone_and_charged_to_who_asked() -> None:
    tried = Tried(SayingModel(resolved(usage=used())))
    answers = [await tried.mapper.map_finding(finding(label, "tool"), DEMO) for label in ("NEW", "NEW", "EMAIL")]
    assert [(answer.method, answer.usage) for answer in answers] == [("model", used()), ("cache", None), ("rule", None)]
    assert tried.accounts.charged == [("demo", "lora.1", used())]


async def test_an_answer_that_was_not_believed_is_paid_and_says_who_gave_it() -> None:
    tried = Tried(SayingModel(resolved(confidence=0.59, usage=used())))
    unsure, cached = [await tried.mapper.map_finding(finding("NEW")) for _ in range(2)]
    assert (unsure.method, unsure.usage, cached.usage) == ("fallback", used(), None)
    for answer in (unsure, cached):
        assert (answer.provenance.model, answer.provenance.adapter) == ("small", "lora.1")
    assert len(tried.accounts.charged) == 1


async def test_a_version_that_gave_no_answer_is_named_without_a_model() -> None:
    mapping = await Tried(SayingModel(Unavailable("down"))).mapper.map_finding(finding("NEW"))
    assert (mapping.provenance.model, mapping.provenance.adapter, mapping.usage) == (None, "lora.1", None)


async def test_a_tenant_over_its_limit_is_served_by_rules_only() -> None:
    tried = Tried(SayingModel(resolved(usage=used())), over="demo")
    await tried.mapper.map_finding(finding("NEW"))  # somebody else asked before: the answer is in the cache
    answers = [await tried.mapper.map_finding(finding(label, "tool"), DEMO) for label in ("EMAIL", "NEW")]
    assert [(one.method, one.provenance.adapter) for one in answers] == [("rule", None), ("fallback", None)]
    assert tried.fallbacks.names == ["mapper.model.over_budget"]
    assert [tenant for tenant, _, _ in tried.accounts.charged] == ["anonymous"]


async def test_a_label_that_a_rule_knows_asks_no_account() -> None:
    tried = Tried(SayingModel(resolved()), over="demo")
    await tried.mapper.map_finding(finding("EMAIL", "tool"), DEMO)
    assert tried.fallbacks.names == []


def asking(adapter: str, label: str = "NEW") -> MapRequest:
    return MapRequest.model_validate({"detector": "tool", "label": label, "adapter": adapter})


async def test_versions_are_cached_apart() -> None:
    versions = [SayingVersion("a", resolved("PII", adapter="a")), SayingVersion("b", resolved("HARM", adapter="b"))]
    store = MemoryStore("2026.11")
    mapper = Mapper(
        rules=Rules(Vocabularies([]), TAXONOMY),
        cache=store,
        reviews=MemoryReviews(),
        versions=Versions(taxonomy="1", mapper="1"),
        model=Variants([Variant(version, 50) for version in versions]),
    )
    answers = [await mapper.map_finding(asking(name)) for name in "abab"]
    assert [names(one.labels) for one in answers] == [["PII"], ["HARM"]] * 2
    assert [one.method for one in answers] == ["model", "model", "cache", "cache"]
    assert [one.provenance.adapter for one in answers] == ["a", "b", "a", "b"]


@pytest.mark.parametrize("label", ["NEW", "EMAIL"])
async def test_a_request_for_a_version_that_is_not_here_is_refused_whoever_would_answer(label: str) -> None:
    tried = Tried(SayingModel(resolved()))
    with pytest.raises(InvalidRequest, match=r"served here: lora\.1"):
        await tried.mapper.map_finding(asking("lora.2", label))
    assert (await tried.mapper.map_finding(asking("lora.1"))).method == "model"


async def test_without_a_model_no_version_can_be_asked_for() -> None:
    with pytest.raises(InvalidRequest, match="rules answer alone here"):
        await Tried().mapper.map_finding(asking("lora.1", "EMAIL"))


@pytest.mark.parametrize(
    ("threshold", "label"),
    [(0.6, "PII"), (0.7425, "PII"), (0.75, "OTHER.Unknown"), (1.0, "OTHER.Unknown"), (0.0, "PII")],
)
async def test_a_rule_below_the_threshold_is_unknown(threshold: float, label: str) -> None:
    mapping = await Tried(threshold=threshold).mapper.map_finding(finding("VAGUE", "tool"))
    assert names(mapping.labels) == [label]


async def test_the_callers_threshold_goes_before_the_mappers() -> None:
    tried = Tried(threshold=0.99)
    asked = MapRequest.model_validate({"detector": "tool", "label": "VAGUE", "threshold": 0.1})
    assert names((await tried.mapper.map_finding(asked)).labels) == ["PII"]
    strict = MapRequest.model_validate({"detector": "tool", "label": "EMAIL", "threshold": 1.0})
    assert names((await tried.mapper.map_finding(strict)).labels) == ["OTHER.Unknown"]


async def test_a_threshold_of_zero_is_a_threshold() -> None:
    asked = MapRequest.model_validate({"detector": "tool", "label": "VAGUE", "threshold": 0})
    assert names((await Tried(threshold=1.0).mapper.map_finding(asked)).labels) == ["PII"]


async def test_of_several_labels_only_the_sure_ones_stay() -> None:
    both = resolved().model_copy(
        update={"labels": (*resolved("PII.Contact", 0.9).labels, *resolved("HARM", 0.3).labels)}
    )  # fmt: skip
    mapping = await Tried(SayingModel(both)).mapper.map_finding(finding("NEW"))
    assert names(mapping.labels) == ["PII.Contact"]


async def test_a_negative_word_maps_to_none_and_needs_no_person() -> None:
    mapping = await Tried().mapper.map_finding(finding("SAFE", "tool"))
    assert (names(mapping.labels), mapping.negative, mapping.review) == (["SAFETY_NEGATIVE.NONE"], True, False)


async def test_a_label_is_reviewed_once_however_often_it_comes() -> None:
    tried = Tried()
    for label in ("A", "B", "B", "B"):
        await tried.mapper.map_finding(finding(label))
    waiting = await tried.reviews.waiting(ANONYMOUS, 10)
    assert [(item.label, item.count) for item in waiting] == [("B", 3), ("A", 1)]


@pytest.mark.parametrize(
    ("model", "over", "doubted"),
    [
        (None, "", Doubted("unknown")),
        (SayingModel(resolved(confidence=0.59)), "", Doubted("below_threshold", (EMAIL_AT_059,), "lora.1")),
        (SayingModel(Unavailable("down")), "", Doubted("model_away", (), "lora.1")),
        (SayingModel(resolved()), "demo", Doubted("model_away")),
    ],
)
async def test_a_label_waits_with_the_reason_and_with_what_it_might_be(
    model: Model | None, over: str, doubted: Doubted
) -> None:
    tried = Tried(model, over=over)
    await tried.mapper.map_finding(finding("NEW", "tool"), DEMO)
    assert tried.reviews.doubts == [doubted]


async def test_all_candidates_of_the_model_wait_with_the_label_also_when_they_come_from_the_cache() -> None:
    candidates = (EMAIL_AT_059, Candidate(label=CanonicalLabel("PII.Contact"), confidence=0.2))
    tried = Tried(SayingModel(resolved(confidence=0.59).model_copy(update={"candidates": candidates})))
    for _ in range(2):
        await tried.mapper.map_finding(finding("NEW", "tool"))
    assert [doubted.candidates for doubted in tried.reviews.doubts] == [candidates, candidates]


async def decide(tried: "Tried", *labels: str, tenant: TenantId = DEMO, scope: str = "tenant") -> None:
    """Decide the only label that waits for *tenant*; without *labels* it has no home."""
    (item,) = await tried.reviews.waiting(tenant, 10)
    decision = Decision.model_validate(
        {
            "decision": "accept" if labels else "reject",
            "labels": [{"label": label} for label in labels],
            "by": "ada",
            "scope": scope,
            "at": "2026-11-23T08:00:00Z",
        }
    )
    await tried.reviews.decide(tenant, item.id, decision)


async def test_what_a_person_said_goes_before_the_models_cached_answer() -> None:
    model = SayingModel(resolved("HARM", confidence=0.59))
    tried = Tried(model)
    await tried.mapper.map_finding(finding("NEW", "tool"), DEMO)
    await decide(tried, "PII.Contact.Email")
    mapping = await tried.mapper.map_finding(finding("NEW", "tool"), DEMO)
    assert [(one.label, one.relation, one.confidence) for one in mapping.labels] == [
        ("PII.Contact.Email", "exact", 0.97)
    ]
    assert (mapping.method, mapping.review, mapping.provenance.vocabulary) == ("rule", False, "reviewed:tool")
    assert (mapping.provenance.model, mapping.provenance.adapter) == (None, None)
    assert (model.asked, tried.cache.asked) == (["NEW"], ["NEW"])


async def test_a_curated_rule_goes_before_what_a_person_said() -> None:
    tried = Tried()
    await tried.reviews.add(finding("EMAIL", "tool"), DEMO, Doubted("unknown"))
    await decide(tried, "HARM")
    mapping = await tried.mapper.map_finding(finding("EMAIL", "tool"), DEMO)
    assert (names(mapping.labels), mapping.provenance.vocabulary) == (["PII.Contact.Email"], "tool:any")


async def test_a_curated_rule_that_is_not_sure_enough_gives_way_to_what_a_person_said() -> None:
    tried = Tried(threshold=0.8)
    assert (await tried.mapper.map_finding(finding("VAGUE", "tool"), DEMO)).review
    await decide(tried, "PII.Contact")
    mapping = await tried.mapper.map_finding(finding("VAGUE", "tool"), DEMO)
    assert (names(mapping.labels), mapping.provenance.vocabulary) == (["PII.Contact"], "reviewed:tool")


async def test_a_label_without_a_home_is_unknown_and_nobody_is_asked_again() -> None:
    model = SayingModel(resolved(confidence=0.59))
    tried = Tried(model)
    await tried.mapper.map_finding(finding("NEW", "tool"), DEMO)
    await decide(tried)
    mapping = await tried.mapper.map_finding(finding("NEW", "tool"), DEMO)
    assert [(one.label, one.confidence) for one in mapping.labels] == [("OTHER.Unknown", 0.0)]
    assert (mapping.method, mapping.review, mapping.provenance.vocabulary) == ("rule", False, "reviewed:tool")
    assert (model.asked, tried.reviews.labels) == (["NEW"], ["NEW"])


@pytest.mark.parametrize(
    ("changes", "method"),
    [
        ({}, "rule"),
        ({"score": 0.2, "kind": "pii"}, "rule"),
        ({"label": "new"}, "fallback"),
        ({"version": "2"}, "fallback"),
        ({"description": "an address"}, "fallback"),
        ({"detector": "tools"}, "fallback"),
    ],
)
async def test_a_decision_holds_for_the_very_label_it_was_made_about(changes: dict[str, Any], method: str) -> None:
    tried = Tried()
    await tried.mapper.map_finding(finding("NEW", "tool", "1"), DEMO)
    await decide(tried, "PII.Contact.Email")
    said = {"label": "NEW", "detector": "tool", "version": "1"} | changes
    assert (await tried.mapper.map_finding(finding(**said), DEMO)).method == method


@pytest.mark.parametrize(("scope", "method"), [("tenant", "fallback"), ("platform", "rule")])
async def test_another_tenant_hears_of_a_decision_only_where_it_is_for_all(scope: str, method: str) -> None:
    tried = Tried()
    await tried.mapper.map_finding(finding("NEW", "tool"), DEMO)
    await decide(tried, "PII.Contact.Email", scope=scope)
    assert (await tried.mapper.map_finding(finding("NEW", "tool"), TenantId("acme"))).method == method


async def test_a_decision_for_a_label_that_the_taxonomy_has_lost_is_no_rule_and_counted() -> None:
    tried = Tried()
    await tried.mapper.map_finding(finding("NEW", "tool"), DEMO)
    await decide(tried, "PII.Contact.Pager")
    assert (await tried.mapper.map_finding(finding("NEW", "tool"), DEMO)).method == "fallback"
    assert tried.fallbacks.names == ["mapper.reviewed.outdated"]


CURATED = read_all(Path(Settings.model_fields["vocabularies"].default))
REAL = Mapper(
    rules=Rules(Vocabularies(CURATED), TAXONOMY),
    cache=KeepingCache(),
    reviews=ListedReviews(),
    versions=Versions(taxonomy=TAXONOMY.version, mapper="1"),
)
DETECTORS = sorted({name for one in CURATED for name in (one.detector, *one.aliases)})
LABELS = st.one_of(st.text(), st.sampled_from(sorted({word for one in CURATED for word in one.labels})))
GRADES = st.none() | st.floats(-1000, 1000) | st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9 ._-]{0,31}\Z")


@given(st.sampled_from([*DETECTORS, "nobody"]), st.sampled_from(["unknown", "1", "2.2.9", "3-8b"]), LABELS, GRADES)
async def test_no_label_that_the_contract_accepts_makes_it_raise(
    detector: str, version: str, label: str, grade: float | str | None
) -> None:
    try:
        said = finding(label, detector, version, severity=grade)
    except ValidationError:
        return
    mapping = await REAL.map_finding(said)
    assert mapping.labels
    assert all(one.label in TAXONOMY for one in mapping.labels)
    assert VendorFinding.model_validate(said.model_dump()) == said
