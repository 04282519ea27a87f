"""How label names vary in the wild, and words that are no label at all."""

import random

# Prefixes and suffixes that teams put around a detector's word; none says anything about its meaning.
_PREFIXES = ("cust", "custom", "detector", "flag", "rule", "category", "x", "is", "has", "contains", "check", "tag")
_SUFFIXES = (
    "v2",
    "v3",
    "high",
    "low",
    "medium",
    "critical",
    "detected",
    "leak",
    "found",
    "score",
    "alert",
    "beta",
    "match",
)
_COUNTRIES = ("us", "uk", "de", "fr", "in", "au", "ca", "es", "it", "br", "jp", "kr", "sg", "pl", "mx")
_SHORT = {
    "number": "num",
    "identifier": "id",
    "identification": "id",
    "address": "addr",
    "password": "pwd",
    "information": "info",
    "account": "acct",
    "message": "msg",
    "certificate": "cert",
    "injection": "inj",
    "discrimination": "discrim",
    "language": "lang",
    "medical": "med",
    "financial": "fin",
    "document": "doc",
    "organization": "org",
    "telephone": "tel",
    "configuration": "config",
    "authentication": "auth",
    "security": "sec",
    "threatening": "threat",
    "harassment": "harass",
}
_CODES = ("S", "C", "O", "H", "R", "CAT-", "cat_", "LABEL_", "T", "P")
_NEIGHBOUR_KEYS = {"a": "s", "e": "r", "i": "o", "o": "p", "n": "m", "r": "t", "s": "d", "t": "y", "l": "k", "c": "v"}

# What stands in a detector's output or in somebody's spreadsheet and means no category. Training and test have lists
# of their own, so that abstaining is learned and not remembered.
NONSENSE_TRAIN = (
    "latency_ms",
    "request_id",
    "banana",
    "tokens_used",
    "blue",
    "foo",
    "bar_baz",
    "processing time",
    "model name",
    "queue depth",
    "render width",
    "breakfast",
    "Tuesday",
    "http_status_404",
    "chunk_index",
    "batch size",
    "lorem",
    "dolor sit",
    "walnut tree",
    "checkout button",
    "mountain bike",
    "retry count",
    "LABEL_3",
    "class 17",
    "var_9",
    "column B",
    "stage 2",
    "violin concerto",
    "pasta recipe",
    "football score",
    "cpu load",
    "green field",
    "north wall",
    "carpet",
    "song title",
    "delivery van",
    "paper size",
    "uptime",
    "page footer",
    "cache hit",
    "screen width",
    "weather",
    "cloudy morning",
    "chess opening",
    "garden hose",
    "kettle",
    "release train",
    "sprint velocity",
    "bus stop",
    "left margin",
    "random seed",
    "gradient norm",
    "epoch",
    "colour palette",
)
NONSENSE_TEST = (
    "teapot",
    "worker_pool_size",
    "qux",
    "spaghetti carbonara",
    "LABEL_11",
    "bucket 4",
    "frame_rate",
    "guitar solo",
    "sunset",
    "memory_usage",
    "trace id 7",
    "sandwich",
    "x1",
    "zzz",
    "disk space",
    "river bank view",
    "header height",
    "tennis racket",
    "replica count",
    "monsoon",
    "learning rate",
    "ipsum",
    "purple",
    "shoe laces",
    "line spacing",
    "build 212",
    "umbrella stand",
    "dog walking",
    "row 5",
    "backoff seconds",
    "piano",
    "queue name",
    "oak table",
    "loading spinner",
    "top_k",
    "coffee machine",
    "font weight",
    "holiday calendar",
    "wind speed",
    "tile map",
    "asdfgh",
    "qwrtp",
    "bicycle bell",
    "attempt 3",
    "output length",
    "raisin bread",
    "hello world",
    "stairs",
    "window seat",
    "batch 9",
    "zebra crossing",
    "thread count",
    "marble floor",
)


def dice(seed: int | str) -> random.Random:
    """Return chance that repeats: nothing here is a secret."""
    return random.Random(seed)  # noqa: S311


def respell(word_text: str, chance: random.Random) -> str:
    """Return *word_text* (plain words) as another team might write it: order of words and meaning stay."""
    parts = word_text.split()
    if chance.random() < 0.25:
        parts = [_SHORT.get(part, part) for part in parts]
    if chance.random() < 0.12:
        parts = [_without_vowels(part) if len(part) > 6 and chance.random() < 0.5 else part for part in parts]
    if chance.random() < 0.15:
        parts = [_typo(part, chance) if len(part) > 4 and i == len(parts) - 1 else part for i, part in enumerate(parts)]
    if chance.random() < 0.15:
        parts[-1] = parts[-1][:-1] if parts[-1].endswith("s") and len(parts[-1]) > 4 else parts[-1] + "s"
    if chance.random() < 0.25:
        parts.insert(0, chance.choice(_PREFIXES))
    if chance.random() < 0.25:
        parts.append(chance.choice(_SUFFIXES))
    return _joined(parts, chance)


def of_country(word_text: str, chance: random.Random) -> str:
    return _joined([chance.choice(_COUNTRIES), *word_text.split()], chance)


def coded(word_text: str, chance: random.Random) -> tuple[str, str]:
    """Return an opaque code and the words as its description: ``S7`` with "Privacy"."""
    return f"{chance.choice(_CODES)}{chance.randint(1, 30)}", word_text.capitalize()


def gibberish(chance: random.Random) -> str:
    """Return letters that make no word."""
    return "".join(chance.choice("bcdfghjklmnpqrstvwxzaeiou") for _ in range(chance.randint(3, 10)))


def _joined(parts: list[str], chance: random.Random) -> str:
    style = chance.randrange(6)
    if style == 0:
        return "_".join(parts)
    if style == 1:
        return "_".join(parts).upper()
    if style == 2:
        return "".join(part.capitalize() for part in parts)
    if style == 3:
        return "-".join(parts)
    if style == 4:
        return "/".join((parts[0], "_".join(parts[1:]))) if len(parts) > 1 else parts[0]
    return " ".join(parts).capitalize()


def _without_vowels(part: str) -> str:
    return part[0] + "".join(c for c in part[1:] if c not in "aeiou")


def _typo(part: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(part) - 1)
    if chance.random() < 0.5:
        return part[:at] + part[at + 1] + part[at] + part[at + 2 :]
    return part[:at] + _NEIGHBOUR_KEYS.get(part[at], "") + part[at + 1 :]
