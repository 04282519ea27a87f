"""What turns a JSON API into a detector: one YAML file a vendor, checked whole when the process starts."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, JsonValue, StringConstraints, ValidationError, model_validator

from llama_mapper.chassis.settings import SettingsError
from llama_mapper.contracts.detection import Family
from llama_mapper.contracts.identifiers import AnyDetectorId
from llama_mapper.contracts.wire import Confidence, Token, VendorLabel, Wire

from .http_expressions import compiles
from .versions import UNSTATED

PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")

Expression = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(compiles)]
Text = Annotated[str, StringConstraints(max_length=400, pattern=r"^[^\x00-\x1f\x7f]*$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")]
Path_ = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9/._~:{}-]*$", max_length=300)]


class SpanRule(Wire):
    """Where a finding is: two offsets, or the text that was found where it stands in the content exactly once."""

    start: Expression | None = None
    end: Expression | None = None
    unit: Literal["code_points", "utf16", "utf8"] = "code_points"
    """What the API counts: Unicode code points, UTF-16 code units (JavaScript, .NET, Java), or bytes of UTF-8."""
    text: Expression | None = None

    @model_validator(mode="after")
    def _offsets_or_text(self) -> "SpanRule":
        if (self.start is None) != (self.end is None) or (self.start is None) == (self.text is None):
            raise ValueError("start and end, or text")
        return self


class FindingRule(Wire):
    """What becomes a finding. Expressions other than ``each`` are evaluated on one of its items."""

    each: Expression
    """An array on the whole answer; null is none, so say in ``expects`` what an answer must hold."""
    when: Expression | None = None
    """True or false and nothing else; false is no finding."""
    label: Expression | None = None
    fixed_label: VendorLabel | None = None
    labels: dict[Text, VendorLabel] = {}
    """The API's word -> the vocabulary's; a word that is not here stays as it is."""
    score: Expression | None = None
    """0 to 1, or a word of ``scores``; without it the API only says yes, and the score is 1."""
    scores: dict[Text, Confidence] = {}
    at_least: Confidence = 0.0
    severity: Expression | None = None
    """The vendor's own grade, as its vocabulary reads it."""
    span: SpanRule | None = None

    @model_validator(mode="after")
    def _one_label(self) -> "FindingRule":
        if (self.label is None) == (self.fixed_label is None):
            raise ValueError("label or fixed_label")
        return self


class RequestRule(Wire):
    """``{option}`` in path, query and headers is replaced; in the body a text that is ``{content}`` or ``{option}``."""

    method: Literal["POST", "PUT"] = "POST"
    path: Path_
    query: dict[Text, Text] = {}
    headers: dict[HeaderName, Text] = {}
    body: JsonValue


class ResponseRule(Wire):
    expects: Annotated[tuple[Expression, ...], Field(min_length=1)]
    """What must be neither null nor false: an answer without it is no answer, rather than nothing found."""
    version: Expression | None = None
    findings: Annotated[tuple[FindingRule, ...], Field(min_length=1)]


class Signing(Wire):
    """AWS Signature Version 4; needs the option ``region``."""

    service: Token


class Adapter(Wire):
    name: AnyDetectorId
    reference: Text
    """Where the vendor describes the API."""
    family: Family
    vocabulary: AnyDetectorId | None = None
    """Whose labels the answers hold; the settings say it where one API serves many models."""
    version: Token = UNSTATED
    options: dict[Name, JsonValue] = {}
    """Option -> its default; null where the settings must say it."""
    signing: Signing | None = None
    health: Path_ | None = None
    """What a GET without key or content tells that the API is there by; a connection is tried where it has none."""
    max_characters: int = Field(default=50_000, ge=100)
    """What one call takes; longer content is asked in parts that overlap."""
    request: RequestRule
    response: ResponseRule

    @property
    def needs_secret(self) -> bool:
        return any("secret" in PLACE.findall(value) for value in self.request.headers.values())

    @model_validator(mode="after")
    def _places(self) -> "Adapter":
        plain = [self.request.path, self.health or "", *self.request.query.values()]
        named = {place for text in plain for place in PLACE.findall(text)}
        named |= {place for text in self.request.headers.values() for place in PLACE.findall(text)} - {"secret"}
        leaves = list(_texts(self.request.body))
        named |= {found.group(1) for leaf in leaves if (found := PLACE.fullmatch(leaf))} - {"content"}
        if unknown := sorted(named - set(self.options)):
            raise ValueError(f"no such option: {unknown[0]}")
        if "{content}" not in leaves:
            raise ValueError("the body must have a text that is {content}")
        if any("{content}" in leaf and leaf != "{content}" for leaf in leaves):
            raise ValueError("{content} must be the whole of a text")
        if "secret" in self.options or "content" in self.options:
            raise ValueError("secret and content are no options")
        if self.signing and "region" not in self.options:
            raise ValueError("signing needs the option region")
        return self

    def says(self) -> Iterator[tuple[str, str]]:
        """The labels that the adapter itself names, each with its place."""
        for index, rule in enumerate(self.response.findings):
            if rule.fixed_label:
                yield f"response.findings.{index}.fixed_label", rule.fixed_label
            for word, label in rule.labels.items():
                yield f"response.findings.{index}.labels.{word}", label


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def filled(value: JsonValue, words: Mapping[str, Any]) -> JsonValue:
    """Return *value* with every text that is a place replaced by what *words* holds, whatever its type."""
    if isinstance(value, str):
        found = PLACE.fullmatch(value)
        replaced: JsonValue = words[found.group(1)] if found else value
        return replaced
    if isinstance(value, Mapping):
        return {key: filled(each, words) for key, each in value.items()}
    return [filled(each, words) for each in value] if isinstance(value, list) else value


def read_adapter(path: Path) -> Adapter:
    """Read one file.

    Raises:
        SettingsError: it cannot be read or is wrong; file and field are named.
    """
    try:
        adapter = Adapter.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        raise SettingsError(f"{path}: not a YAML file that can be read") from None
    except ValidationError as error:
        faults = [f"{path}: {'.'.join(map(str, e['loc'])) or '(all)'}: {e['msg']}" for e in error.errors()]
        raise SettingsError("\n".join(faults)) from None
    if adapter.name != path.stem:
        raise SettingsError(f"{path}: name: must be the file's, {path.stem}")
    return adapter


def check_labels(adapter: Adapter, path: Path, vocabulary: str, folder: Path) -> None:
    """Check the labels that *adapter* names against *vocabulary*, where *folder* holds the vocabularies.

    Raises:
        SettingsError: no such vocabulary, or a label that it does not hold.
    """
    words = vocabulary_words(folder).get(vocabulary)
    if words is None:
        raise SettingsError(f"{path}: vocabulary: none is called {vocabulary}")
    for place, label in adapter.says():
        if label not in words:
            raise SettingsError(f"{path}: {place}: not a label of {vocabulary}")


def check_edition(place: str, vocabulary: str, version: str | None, folder: Path) -> None:
    """Check that it is said which of several editions of *vocabulary* is meant, where *folder* holds them.

    Raises:
        SettingsError: no such vocabulary, or several; *place* is named.
    """
    if not folder.is_dir():
        return
    editions = vocabulary_editions(folder).get(vocabulary)
    if editions is None:
        raise SettingsError(f"{place}: there is no vocabulary {vocabulary}")
    if version == "unknown" and editions > 1:
        raise SettingsError(f"{place}: {vocabulary} has several editions; say which")


@cache
def vocabulary_editions(folder: Path) -> dict[str, int]:
    """How many vocabularies have each name: one, or one for each edition."""
    return Counter(name for one in _documents(folder) for name in (one["detector"], *one.get("aliases", ())))


@cache
def vocabulary_words(folder: Path) -> dict[str, frozenset[str]]:
    """The labels of each vocabulary, by its names; one detector's versions together."""
    words: dict[str, frozenset[str]] = {}
    for document in _documents(folder):
        held = frozenset(map(str, [*document.get("labels", {}), *document.get("unmapped", {})]))
        for name in (document["detector"], *document.get("aliases", ())):
            words[name] = words.get(name, frozenset()) | held
    return words


@cache
def _documents(folder: Path) -> tuple[Any, ...]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # seventy files: the C loader takes a seventh of the time
    paths = sorted(folder.glob("*.yaml"))
    return tuple(yaml.load(path.read_text("utf-8"), loader) for path in paths)  # noqa: S506 - safe, both of them
