"""Findings in plain words, by template: every number in a sentence stands in the finding too."""

from collections.abc import Callable

from llama_mapper.contracts.patterns import Interval, PatternFinding

from .found import Effect, Found


def finding(found: Found) -> PatternFinding:
    labels = dict.fromkeys(label for name in found.names for label in name.labels)
    detectors = dict.fromkeys(detector for name in found.names for detector in name.detectors)
    return PatternFinding(
        kind=found.kind,
        labels=tuple(labels),
        detectors=tuple(detectors),
        period=found.period,
        effect=found.effect,
        effect_size=round(found.size, 6),
        interval=Interval(
            low=round(found.low, 6), high=None if found.high is None else round(max(found.high, found.low), 6)
        ),
        p_value=found.p,
        q_value=min(1.0, found.q),
        evidence_query=found.evidence,
        explanation=_WORDS[found.effect](found),
    )


def _span(found: Found) -> str:
    start, end = found.period.start, found.period.end
    return f"from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"


def _interval(found: Found) -> str:
    high = "no upper bound" if found.high is None else f"{found.high:.2f}"
    return f"95 % interval {found.low:.2f} to {high}" if found.high is not None else f"at least {found.low:.2f}, {high}"


def _times(found: Found) -> str:
    return f"{found.size:.2f} times ({_interval(found)})"


def _counts(found: Found) -> str:
    return f"{found.observed:,.0f} requests where {found.expected:,.1f} were expected"


def _burst(found: Found) -> str:
    return f"{found.names[0]} came in a burst {_span(found)}: {_times(found)} what was due, {_counts(found)}."


def _change(found: Found) -> str:
    way = "more" if found.size > 1 else "less"
    return (
        f"{found.names[0]} has come {way} often since {found.period.start:%Y-%m-%d %H:%M} UTC: {_times(found)} the rate"
        f" before, {_counts(found)}."
    )


def _rate(found: Found) -> str:
    way = "more" if found.size > 1 else "less"
    return (
        f"{found.names[0]} came {way} often {_span(found)} than in the weeks before: {_times(found)} the rate per"
        f" request, {_counts(found)}."
    )


def _season(found: Found) -> str:
    unit = "hours of the day" if found.effect.startswith("daily") else "days of the week"
    return (
        f"{found.names[0]} keeps to {unit}: the season explains {found.size:.0%} of what is neither trend nor traffic"
        f" ({_interval(found)})."
    )


def _lag(found: Found) -> str:
    leads, follows = found.names
    way = "rises" if found.size > 0 else "falls"
    hours = "hour" if found.lag == 1 else "hours"
    return (
        f"{follows} {way} {found.lag} {hours} after {leads} rises: correlation {found.size:.2f} ({_interval(found)}),"
        " beyond what traffic and time of day explain. That one causes the other is not said."
    )


def _lift(found: Found) -> str:
    first, second = found.names
    return f"{first} and {second} meet in one request {_times(found)} as often as by chance: {_counts(found)}."


def _anomaly(found: Found) -> str:
    named = ", ".join(str(name) for name in found.names)
    return (
        f"The labels together were unlike the weeks before {_span(found)}: {_times(found)} the usual deviation. Most"
        f" unusual: {named}."
    )


_WORDS: dict[Effect, Callable[[Found], str]] = {
    "burst-rate-ratio": _burst,
    "change-rate-ratio": _change,
    "rate-ratio": _rate,
    "daily-seasonal-strength": _season,
    "weekly-seasonal-strength": _season,
    "lag-correlation": _lag,
    "lift": _lift,
    "deviance-ratio": _anomaly,
}
