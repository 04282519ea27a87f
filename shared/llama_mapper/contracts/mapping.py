"""mapper: a vendor's word in, canonical labels out."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    Field,
    NonNegativeInt,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from .detection import Reading, Span
from .identifiers import AnyCanonicalLabel, AnyDetectorId
from .problems import FieldError, InvalidRequest, ProblemDocument
from .wire import (
    Confidence,
    Microdollars,
    Milliseconds,
    Number,
    Severity,
    Token,
    VendorDescription,
    VendorLabel,
    VendorSeverity,
    Wire,
)

Relation = Literal["exact", "broader", "narrower", "related"]
"""Read "the canonical label is … the vendor's", as in SKOS mapping relations (skos:broadMatch and so on)."""

Method = Literal["rule", "model", "cache", "fallback"]


DetectorKind = Literal[
    "pii",
    "phi",
    "ner",
    "secret",
    "content-safety",
    "toxicity",
    "hate",
    "prompt-injection",
    "guardrail",
    "risk-taxonomy",
    "eval",
    "language",
]
"""What a detector is for. ``phi`` is health data, ``ner`` named entities, ``eval`` the quality of an answer."""


class VendorFinding(Wire):
    """What a detector found, in its own words. (detector, version, label, description) is the label's identity."""

    detector: AnyDetectorId
    detector_version: Token = "unknown"
    label: VendorLabel
    description: VendorDescription | None = None
    kind: DetectorKind | None = Field(
        default=None, description="What the detector is for; helps where no rule knows the label"
    )
    severity: VendorSeverity | None = None
    score: Confidence | None = None
    span: Span | None = None
    reading: Reading | None = Field(default=None, description="Where it was not found in the content as received")
    raw_ref: Token | None = Field(default=None, description="The vendor's own id of the finding, opaque to us")


class MapRequest(VendorFinding):
    """POST /api/v1/map."""

    threshold: Confidence | None = Field(default=None, description="Below it: OTHER.Unknown; default 0.6")
    adapter: Token | None = Field(
        default=None, description="The adapter version to ask instead of the one the label is assigned to"
    )
    rules_only: bool | None = Field(default=None, description="True: rules and people's decisions, and no model")


class MappedLabel(Wire):
    label: AnyCanonicalLabel
    relation: Relation
    confidence: Confidence
    severity: Severity


class Provenance(Wire):
    """Who said what, and what turned it into canonical labels."""

    vendor: Token
    detector: AnyDetectorId
    detector_version: Token
    vendor_label: VendorLabel
    vendor_severity: VendorSeverity | None = None
    raw_ref: Token | None = None
    vocabulary: Token | None = None
    model: Token | None = None
    adapter: Token | None = None
    prompt: Token | None = None


class Versions(Wire):
    taxonomy: Token
    mapper: Token
    frameworks: Token | None = None


class Usage(Wire):
    """What one answer of the model took, and what that costs by the price table ``prices``.

    ``compute_seconds`` is this answer's part of the time the predictor was busy: of two answers made at the same time
    each has half. ``latency_ms`` is the whole wait for it, retrieval included.
    """

    prompt_tokens: Annotated[NonNegativeInt, Number]
    completion_tokens: Annotated[NonNegativeInt, Number]
    compute_seconds: Annotated[float, Number] = Field(ge=0, allow_inf_nan=False)
    latency_ms: Milliseconds
    cost_microdollars: Microdollars
    prices: Token


class Mapping(Wire):
    """The answer for one vendor finding."""

    labels: tuple[MappedLabel, ...] = Field(min_length=1)
    method: Method
    negative: bool = Field(default=False, strict=True, description="The detector said that there is nothing")
    review: bool = Field(default=False, strict=True, description="A person should look: no rule knew the label")
    usage: Usage | None = Field(default=None, description="Where the model was asked; rules and the cache cost nothing")
    provenance: Provenance
    versions: Versions


MAX_PATH = 120
FieldPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.()]+$", max_length=MAX_PATH)]


class Refused(Wire):
    """A batch item that failed validation: it keeps its place, the others are answered."""

    fields: tuple[FieldPath, ...]

    def problem(self) -> InvalidRequest:
        """What the item's place in the answer says."""
        errors = tuple(FieldError(field=field, message="missing, not allowed or not valid") for field in self.fields)
        return InvalidRequest(f"check: {', '.join(self.fields)}"[:240], errors=errors)


Item = TypeVar("Item", bound=Wire)


def in_its_place(model: type[Item]) -> Callable[[Any, ValidatorFunctionWrapHandler], Item | Refused]:
    """Return a validator that turns an invalid item of a batch into ``Refused`` instead of failing the batch."""

    def validate(value: Any, _: ValidatorFunctionWrapHandler) -> Item | Refused:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            return Refused(fields=own_fields(error, model.model_fields.__contains__))

    return validate


def own_fields(error: ValidationError, known: Callable[[str], bool]) -> tuple[str, ...]:
    """Return the paths of the faults in *error*, cut where a caller's own key would show."""
    paths: dict[str, None] = {}
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        parts = []
        for part in fault["loc"]:
            if isinstance(part, str) and not known(part):
                break
            parts.append(str(part))
        paths[".".join(parts)[:MAX_PATH] or "(item)"] = None
    return tuple(paths)


MapItem = Annotated[MapRequest | Refused, WrapValidator(in_its_place(MapRequest), json_schema_input_type=MapRequest)]


class MapBatchRequest(Wire):
    """POST /api/v1/map/batch; an invalid item is answered with its own problem."""

    items: tuple[MapItem, ...] = Field(min_length=1, max_length=500)


class MapBatchItem(Wire):
    index: NonNegativeInt
    status: int
    mapping: Mapping | None = None
    problem: ProblemDocument | None = None


class MapBatchResponse(Wire):
    results: tuple[MapBatchItem, ...]
    latency_ms: Milliseconds
