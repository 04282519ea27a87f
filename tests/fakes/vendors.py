"""What vendors' detector APIs answer, written from their reference pages, and what is asked of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OPENAI = {
    "id": "modr-1",
    "model": "omni-moderation-2024-09-26",
    "results": [
        {
            "flagged": True,
            "categories": {"hate": False, "violence": True, "violence/graphic": True, "sexual": False},
            "category_scores": {"hate": 0.01, "violence": 0.93, "violence/graphic": 0.61, "sexual": 0.0},
            "category_applied_input_types": {"violence": ["text"]},
        }
    ],
}
AZURE = {
    "blocklistsMatch": [],
    "categoriesAnalysis": [
        {"category": "Hate", "severity": 2},
        {"category": "SelfHarm", "severity": 0},
        {"category": "Sexual", "severity": 0},
        {"category": "Violence", "severity": 7},
    ],
}
BEDROCK: dict[str, Any] = {
    "usage": {"topicPolicyUnits": 1, "contentPolicyUnits": 1, "wordPolicyUnits": 1},
    "action": "GUARDRAIL_INTERVENED",
    "outputs": [{"text": "Blocked."}],
    "assessments": [
        {
            "contentPolicy": {
                "filters": [
                    {"type": "VIOLENCE", "confidence": "HIGH", "action": "BLOCKED", "detected": True},
                    {"type": "HATE", "confidence": "LOW", "action": "NONE", "detected": False},
                    {"type": "SEXUAL", "confidence": "NONE", "action": "NONE"},
                    {"type": "INSULTS", "confidence": "MEDIUM", "action": "BLOCKED"},
                ]
            },
            "topicPolicy": {"topics": [{"name": "Tax advice", "type": "DENY", "action": "BLOCKED"}]},
            "wordPolicy": {
                "customWords": [{"match": "some", "action": "BLOCKED", "detected": False}],
                "managedWordLists": [{"match": "some", "type": "PROFANITY", "action": "BLOCKED", "detected": True}],
            },
            "sensitiveInformationPolicy": {
                "piiEntities": [
                    {"type": "EMAIL", "match": "a@b.org", "action": "ANONYMIZED", "detected": True},
                    {"type": "NAME", "match": "Ann", "action": "ANONYMIZED", "detected": True},
                    {"type": "PHONE", "match": "555", "action": "NONE", "detected": False},
                ],
                "regexes": [{"name": "badge", "match": "B-1", "regex": "B-.", "action": "BLOCKED", "detected": True}],
            },
        }
    ],
}
COMPREHEND = {
    "Entities": [
        {"Score": 0.99, "Type": "EMAIL", "BeginOffset": 7, "EndOffset": 14},
        {"Score": 0.31, "Type": "NAME", "BeginOffset": 0, "EndOffset": 3},
    ]
}
MODEL_ARMOR: dict[str, Any] = {
    "sanitizationResult": {
        "filterMatchState": "MATCH_FOUND",
        "invocationResult": "SUCCESS",
        "filterResults": {
            "csam": {"csamFilterFilterResult": {"executionState": "EXECUTION_SUCCESS", "matchState": "NO_MATCH_FOUND"}},
            "malicious_uris": {
                "maliciousUriFilterResult": {"executionState": "EXECUTION_SUCCESS", "matchState": "NO_MATCH_FOUND"}
            },
            "rai": {
                "raiFilterResult": {
                    "executionState": "EXECUTION_SUCCESS",
                    "matchState": "MATCH_FOUND",
                    "raiFilterTypeResults": {
                        "sexually_explicit": {"matchState": "NO_MATCH_FOUND"},
                        "dangerous": {"matchState": "MATCH_FOUND", "confidenceLevel": "MEDIUM_AND_ABOVE"},
                        "harassment": {"matchState": "MATCH_FOUND"},
                    },
                }
            },
            "pi_and_jailbreak": {
                "piAndJailbreakFilterResult": {
                    "executionState": "EXECUTION_SUCCESS",
                    "matchState": "MATCH_FOUND",
                    "confidenceLevel": "LOW_AND_ABOVE",
                }
            },
            "sdp": {
                "sdpFilterResult": {
                    "inspectResult": {"executionState": "EXECUTION_SUCCESS", "matchState": "MATCH_FOUND"}
                }
            },
        },
    }
}
DLP = {
    "result": {
        "findings": [
            {
                "infoType": {"name": "PERSON_NAME"},
                "likelihood": "POSSIBLE",
                "location": {"byteRange": {"end": "3"}, "codepointRange": {"end": "3"}},
            },
            {
                "infoType": {"name": "EMAIL_ADDRESS"},
                "likelihood": "VERY_LIKELY",
                "location": {
                    "byteRange": {"start": "7", "end": "14"},
                    "codepointRange": {"start": "7", "end": "14"},
                },
            },
        ]
    }
}
TRUSTYAI = [
    [
        {"start": 7, "end": 14, "text": "a@b.org", "detection": "EMAIL", "detection_type": "pii", "score": 0.8},
        {"start": 0, "end": 3, "text": "Ann", "detection": "PERSON", "detection_type": "pii", "score": 1.0},
    ]
]


def chat(text: Any) -> dict[str, Any]:
    """What a chat completion answers."""
    message = {"role": "assistant", "content": text}
    return {"id": "chatcmpl-1", "model": "guard", "choices": [{"index": 0, "message": message}]}


def v2(*data: Any) -> dict[str, Any]:
    output = {"name": "output-0", "shape": [1, len(data)], "datatype": "FP32", "data": list(data)}
    return {"model_name": "toxicity", "model_version": "3", "id": "1", "outputs": [output]}


@dataclass(frozen=True)
class Vendor:
    """An adapter, what its settings say, what was answered, and (label, score, severity, place) of what is found."""

    adapter: str
    answer: Any
    found: tuple[tuple[str, float, float | str | None, tuple[int, int] | None], ...]
    nothing: Any
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: str = "served"


CONTENT = "Ann at a@b.org, B-1 and B-1"
KEYS = {"secret_env": "VENDOR_KEY"}
GUARDRAIL = {"options": {"region": "eu-west-1", "guardrail": "gr1"}, "secret_env": "AWS_KEYS"}
GOOGLE = {"project": "p", "location": "eu"}
V1 = {"vocabulary": "detoxify", "vocabulary_version": "original", "options": {"model": "toxicity"}}
V2 = {
    "vocabulary": "detoxify",
    "vocabulary_version": "original",
    "options": {"model": "toxicity", "classes": ["toxicity", "insult"]},
}
QUIET = {"action": "NONE", "outputs": [], "assessments": []}

VENDORS = {
    "openai": Vendor(
        "openai-moderation",
        OPENAI,
        (("violence", 0.93, None, None), ("violence/graphic", 0.61, None, None)),
        {
            "model": "m",
            "results": [{"categories": {"hate": False}, "category_scores": {"hate": 0.4}}],
        },
        KEYS,
        "omni-moderation-2024-09-26",
    ),
    "azure": Vendor(
        "azure-content-safety",
        AZURE,
        (("Hate", 1.0, 2, None), ("Violence", 1.0, 7, None)),
        {"categoriesAnalysis": [{"category": "Hate", "severity": 0}]},
        KEYS,
        "2024-09-01",
    ),
    "bedrock-content": Vendor(
        "aws-bedrock-guardrails-content",
        BEDROCK,
        (
            ("VIOLENCE", 0.9, "HIGH", None),
            ("INSULTS", 0.7, "MEDIUM", None),
            ("DENY", 1.0, None, None),
            ("PROFANITY", 1.0, None, None),
        ),
        QUIET,
        GUARDRAIL,
    ),
    "bedrock-pii": Vendor(
        "aws-bedrock-guardrails-pii",
        BEDROCK,
        (("EMAIL", 1.0, None, (7, 14)), ("NAME", 1.0, None, (0, 3)), ("badge", 1.0, None, None)),
        QUIET,
        GUARDRAIL,
    ),
    "comprehend": Vendor(
        "aws-comprehend-pii",
        COMPREHEND,
        (("EMAIL", 0.99, None, (7, 14)),),
        {"Entities": []},
        {"options": {"region": "eu-west-1"}, "secret_env": "AWS_KEYS"},
    ),
    "model-armor": Vendor(
        "model-armor",
        MODEL_ARMOR,
        (
            ("DANGEROUS", 0.7, None, None),
            ("HARASSMENT", 0.9, None, None),
            ("pi_and_jailbreak", 0.4, None, None),
            ("sdp", 1.0, None, None),
        ),
        {"sanitizationResult": {"invocationResult": "SUCCESS", "filterResults": {}}},
        KEYS | {"options": GOOGLE | {"template": "t"}},
    ),
    "dlp": Vendor(
        "google-dlp",
        DLP,
        (("PERSON_NAME", 0.5, None, (0, 3)), ("EMAIL_ADDRESS", 0.95, None, (7, 14))),
        {"result": {}},
        KEYS | {"options": GOOGLE},
    ),
    "llama-guard": Vendor(
        "llama-guard",
        chat("\n\nunsafe\nS1,S10"),
        (("S1", 1.0, None, None), ("S10", 1.0, None, None)),
        chat("\n\nsafe"),
        KEYS,
        "3-8b",
    ),
    "trustyai": Vendor(
        "trustyai-detectors",
        TRUSTYAI,
        (("EMAIL", 0.8, None, (7, 14)), ("PERSON", 1.0, None, (0, 3))),
        [[]],
        {"vocabulary": "presidio", "options": {"detector_id": "pii"}},
    ),
    "kserve-v1": Vendor(
        "kserve-v1",
        {"predictions": [[{"label": "toxicity", "score": 0.9}, {"label": "insult", "score": 0.2}]]},
        (("toxicity", 0.9, None, None),),
        {"predictions": [{"toxicity": 0.1}]},
        V1,
    ),
    "kserve-v2": Vendor("kserve-v2", v2(0.9, 0.2), (("toxicity", 0.9, None, None),), v2(0.1, 0.2), V2, "3"),
}
