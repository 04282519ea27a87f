"""Generated configurations of tenants, as the policies are asked with them."""

from typing import Any

from hypothesis import strategies as st

from llama_mapper.taxonomy import load

LABELS = [label.name for label in load().labels]
SHARE = st.integers(0, 100).map(lambda n: n / 100)
ACTION = st.sampled_from(["allow", "flag", "redact", "human_review", "block"])
IDS = st.lists(st.sampled_from(["presidio", "tox-block", "jailguard", "detect-secrets", "elsewhere"]), max_size=3)
ENTRY = st.fixed_dictionaries(
    {
        "label": st.sampled_from([*LABELS, "PII", "HARM", "SECRET", "IP"]),
        "min_severity": st.integers(0, 4),
        "action": ACTION,
        "obligations": st.lists(st.sampled_from(["tell", "mask_spans"]), max_size=2, unique=True),
    }
)
LAYER: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "enabled": st.booleans(),
        "key_required": st.booleans(),
        "max_content_characters": st.sampled_from([1, 10, 50_000, 60_000]),
        "max_priority": st.sampled_from(["low", "normal", "high", "critical"]),
        "requests_per_minute": st.integers(1, 100),
        "requests_per_day": st.integers(1, 100),
        "thresholds": st.fixed_dictionaries({}, optional={"confidence": SHARE, "coverage": SHARE}),
        "labels": st.lists(ENTRY, max_size=4),
        "extra_detectors": IDS,
        "required_detectors": IDS,
        "redaction_operators": st.lists(st.sampled_from(["mask", "hash", "token"]), max_size=3, unique=True),
        "callback_hosts": st.lists(st.sampled_from(["a.example", "b.example"]), max_size=2, unique=True),
        "retention_days": st.integers(1, 400),
        "review_queue": st.sampled_from(["legal", "care"]),
    },
)
CIRCUMSTANCES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "route": st.sampled_from(["chat", "mail", "elsewhere"]),
        "data_class": st.sampled_from([None, "public", "internal", "confidential", "restricted", "new"]),
        "content_type": st.sampled_from(["text", "document", "code", "structured"]),
        "processing_mode": st.sampled_from(["standard", "fast", "thorough", "async"]),
    },
)
LAYERS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries({}, optional={"platform": LAYER, "own": LAYER})
