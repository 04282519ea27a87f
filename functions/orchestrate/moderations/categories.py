"""Our labels in the 13 categories of OpenAI's moderation API: data."""

from collections.abc import Iterable
from typing import Literal, get_args

from llama_mapper.contracts.analysis import CanonicalFinding

Category = Literal[
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
]
CATEGORIES: tuple[Category, ...] = get_args(Category)

TABLE: dict[str, tuple[Category, ...]] = {
    "HARM.Speech": ("harassment",),
    "HARM.Speech.Threat": ("harassment", "harassment/threatening"),
    "HARM.Speech.Profanity": (),
    "HARM.Speech.Defamation": (),
    "HARM.Hate": ("hate",),
    "HARM.Hate.Threatening": ("hate", "hate/threatening"),
    "HARM.Violence": ("violence",),
    "HARM.Violence.Graphic": ("violence", "violence/graphic"),
    "HARM.SelfHarm": ("self-harm",),
    "HARM.SelfHarm.Intent": ("self-harm", "self-harm/intent"),
    "HARM.SelfHarm.Instructions": ("self-harm", "self-harm/instructions"),
    "HARM.Sexual": ("sexual",),
    "HARM.Sexual.Violence": ("sexual", "violence"),
    "HARM.ChildSafety.SexualAbuse": ("sexual", "sexual/minors"),
    "HARM.ChildSafety.Grooming": ("sexual/minors",),
    "HARM.Crime": ("illicit",),
    "HARM.Crime.Violent": ("illicit", "illicit/violent"),
    "HARM.Weapons": ("illicit", "illicit/violent"),
    "HARM.Substances": ("illicit",),
    "HARM.Substances.Legal": (),
}
"""For a label and everything below it; of several entries above a label the nearest one counts. What has none
(personal data, secrets, injections) is in no category of theirs; the decision speaks for it."""


def categories_of(label: str) -> tuple[Category, ...]:
    while label:
        if label in TABLE:
            return TABLE[label]
        label = label.rpartition(".")[0]
    return ()


def scores(findings: Iterable[CanonicalFinding]) -> dict[Category, float]:
    """Return each category's highest confidence, 0 where nothing was found."""
    highest = dict.fromkeys(CATEGORIES, 0.0)
    for finding in findings:
        for category in categories_of(finding.label):
            highest[category] = max(highest[category], finding.confidence)
    return highest
