"""record's read API on adapter versions side by side."""

from pydantic import Field, FiniteFloat, NonNegativeInt

from .wire import Token, Wire


class Estimate(Wire):
    """A figure with its 95 % confidence interval; what too few observations cannot say is None."""

    value: FiniteFloat | None = None
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None


class Measure(Wire):
    """A mean over the model's answers, and how much it differs from the control's (None for the control itself)."""

    mean: Estimate
    difference: Estimate | None = None


class Agreement(Wire):
    """Of ``labels`` that both sides answered, the share on which they say the same."""

    labels: NonNegativeInt
    share: Estimate


class AdapterReport(Wire):
    """One adapter version. A label is a vendor's word: (detector, version, label).

    ``mappings`` have the cache's in them; ``calls`` are those for which the model was asked: ``failed`` is the share of
    them without an answer, ``abstained`` the share of the answers that were below the threshold. ``rules`` is the
    agreement with rules that came after the model's answer.
    """

    adapter: Token
    control: bool
    labels: NonNegativeInt
    mappings: NonNegativeInt
    calls: NonNegativeInt
    failed: Estimate
    abstained: Estimate
    agreement: Agreement | None = None
    rules: Agreement
    confidence: Measure
    latency_ms: Measure
    latency_p50_ms: Estimate
    latency_p95_ms: Estimate
    tokens: Measure
    cost_microdollars: Measure


class Experiments(Wire):
    """GET /api/v1/experiments: the versions that answered one tenant in the last *days*, the control first."""

    days: int = Field(ge=1)
    adapters: tuple[AdapterReport, ...]
