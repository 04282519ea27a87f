"""Prometheus as the gate sees it: scrapes of real ``/metrics`` pages, and the one form of query over them.

``sum by (LABELS) (increase(METRIC{MATCHERS}[Ns] offset Ms))``, where an increase is what the counter went up by between
the first and the last sample in the window, through restarts, as Prometheus has it; it does not extrapolate to the
window's edges, so a test can count. Scrapes and the clock are the test's.
"""

import itertools
import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from prometheus_client.parser import text_string_to_metric_families

Series = frozenset[tuple[str, str]]
_QUERY = re.compile(
    r"sum by \((?P<by>[\w, ]+)\) "
    r"\(increase\((?P<metric>\w+)\{(?P<among>.*)\}\[(?P<window>\d+)s\](?: offset (?P<ago>\d+)s)?\)\)"
)
_MATCHER = re.compile(r'(\w+)(=~|=)"((?:[^"\\]|\\.)*)"')


class Prometheus:
    def __init__(self) -> None:
        self.url = ""
        self.now = 0.0
        self.away = False
        self.asked: list[str] = []
        self._samples: dict[tuple[str, Series], list[tuple[float, float]]] = defaultdict(list)

    def scrape(self, page: str, **target: str) -> None:
        """Take in a page at the present time; a label of the page that the target has too is renamed, as upstream."""
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                labels = {(f"exported_{name}" if name in target else name): v for name, v in sample.labels.items()}
                self._samples[sample.name, frozenset((labels | target).items())].append((self.now, sample.value))

    def query(self, text: str) -> list[dict[str, Any]]:
        asked = _QUERY.fullmatch(text)
        if asked is None:
            raise ValueError(f"not the one form of query: {text}")
        by = asked["by"].split(", ")
        end = self.now - int(asked["ago"] or 0)
        start = end - int(asked["window"])
        sums: dict[tuple[str, ...], float] = defaultdict(float)
        for (metric, labels), samples in self._samples.items():
            known = dict(labels)
            inside = [value for at, value in samples if start <= at <= end]
            if metric == asked["metric"] and len(inside) > 1 and _matches(asked["among"], known):
                sums[tuple(known.get(name, "") for name in by)] += _increase(inside)
        return [
            {"metric": {name: v for name, v in zip(by, key, strict=True) if v}, "value": [self.now, str(total)]}
            for key, total in sums.items()
        ]


def _matches(among: str, labels: dict[str, str]) -> bool:
    for name, how, value in _MATCHER.findall(among):
        found = labels.get(name, "")
        if not (found == value if how == "=" else re.fullmatch(value, found)):
            return False
    return True


def _increase(values: list[float]) -> float:
    total = 0.0
    for before, after in itertools.pairwise(values):
        total += after - before if after >= before else after
    return total


class _Handler(BaseHTTPRequestHandler):
    prometheus: Prometheus

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        found, code = {"status": "error", "errorType": "bad_data", "error": "no"}, 503 if self.prometheus.away else 400
        if url.path == "/api/v1/query" and not self.prometheus.away:
            text = parse_qs(url.query)["query"][0]
            self.prometheus.asked.append(text)
            result: Any = self.prometheus.query(text)
            found, code = {"status": "success", "data": {"resultType": "vector", "result": result}}, 200  # type: ignore[dict-item]
        body = json.dumps(found).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(prometheus: Prometheus) -> Iterator[Prometheus]:
    handler = type("Handler", (_Handler,), {"prometheus": prometheus})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    prometheus.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield prometheus
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
