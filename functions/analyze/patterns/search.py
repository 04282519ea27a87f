"""Look for every kind of pattern in what record counted; pure computation, and the same answer for the same counts."""

from collections.abc import Iterator

from llama_mapper.contracts.patterns import PatternKind, PatternsRequest, PatternsResponse

from .anomalies import anomalies
from .bursts import bursts
from .changes import changes
from .counted import Evidence
from .expecting import expect
from .found import Found, Searched
from .frequency import frequencies
from .lags import lags
from .lifts import lifts
from .seasons import seasons
from .table import table_of
from .words import finding

MAX_TOLD = 200
"""Patterns in one answer, the surest first."""


def search(request: PatternsRequest, evidence: Evidence) -> PatternsResponse:
    searched = list(_searched(frozenset(request.kinds), evidence))
    tested = frozenset(name for one in searched for name in one.tested)
    found = sorted((one for each in searched for one in each.found), key=_surest)[:MAX_TOLD]
    return PatternsResponse(
        period=request.period,
        series_tested=len(tested),
        series_left_out=evidence.sources.left_out,
        patterns=tuple(finding(one) for one in found),
    )


def _surest(found: Found) -> tuple[float, float, str, str, str]:
    return found.q, -abs(found.size), found.effect, str(found.names), found.period.start.isoformat()


def _searched(kinds: frozenset[PatternKind], evidence: Evidence) -> Iterator[Searched]:
    table = table_of(evidence.sources, evidence.begins)
    if not table.enough:
        return
    expected = expect(table, traffic=True)
    if "temporal" in kinds:
        changed = changes(table, expected)
        yield changed.searched
        yield bursts(table, expected, changed.cuts)
        yield seasons(table)
    if "frequency" in kinds:
        yield frequencies(table, expected)
    if "correlation" in kinds:
        yield lags(table, expected)
        for series, pairs in evidence.pairs:
            yield lifts(series, pairs, evidence.begins)
    if "anomaly" in kinds:
        yield anomalies(table, expected)
