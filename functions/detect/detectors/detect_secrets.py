"""Secrets by Yelp's detect-secrets: its plugins and its filters, line by line; entropy plugins are left out.

In prose the entropy plugins take every quoted hash or identifier for a secret. The values found are used to place the
span and then dropped.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from threading import Lock

from llama_mapper.contracts.detection import Detection, Detector, Family, Span

from ..packages import installed_version
from ..settings import Settings

_ENTROPY = {"Base64HighEntropyString", "HexHighEntropyString"}
# A filter that needs files, and the one that believes a comment in the text ("pragma: allowlist secret"): here the
# text is the suspect.
_FILTERS_OFF = {
    "detect_secrets.filters.common.is_invalid_file",
    "detect_secrets.filters.allowlist.is_line_allowlisted",
}

# The tool says yes or no. A keyword beside a value is a weaker sign than the shape of a token.
_SCORE, _KEYWORD_SCORE = 0.9, 0.6

# What these plugins return is the secret itself. Of the others some return a group of their pattern ("ghp" of a GitHub
# token), so the finding is the whole word around it.
_EXACT = {"Secret Keyword", "Basic Auth Credentials", "Public IP (ipv4)", "Private Key"}
_WORD = re.compile(r"[\w-]+")
_MIN_TOKEN_CHARACTERS = 12

_PRIVATE_KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_MAX_KEY_CHARACTERS = 8_000


class DetectSecretsDetector:
    name = "detect-secrets"
    family: Family = "secrets"
    window_characters = 10_000

    def __init__(self) -> None:
        self.version = installed_version("detect-secrets")
        self._open = ExitStack()
        # Each scan writes to the library's global settings.
        self._scanning = Lock()

    def load(self) -> None:
        """Take the library's global settings for this process; opening them for each text would cost 20 times more."""
        from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
        from detect_secrets.core.scan import scan_line
        from detect_secrets.settings import transient_settings

        classes: Iterable[type] = get_mapping_from_secret_type_to_class().values()
        plugins = [plugin.__name__ for plugin in classes]
        settings = self._open.enter_context(
            transient_settings({"plugins_used": [{"name": name} for name in plugins if name not in _ENTROPY]})
        )
        settings.disable_filters(*_FILTERS_OFF)
        self._scan_line = scan_line

    def detect(self, text: str) -> Sequence[Detection]:
        found: dict[tuple[str, int, int], Detection] = {}
        start = 0
        for line in text.splitlines(keepends=True):
            for label, value in self._secrets(line):
                for first, last in _places(label, value, line):
                    span = Span(start=start + first, end=start + last)
                    span = _whole_key(text, span) if label == "Private Key" else span
                    score = _KEYWORD_SCORE if label == "Secret Keyword" else _SCORE
                    found[label, span.start, span.end] = Detection(label=label, score=score, span=span)
            start += len(line)
        return list(found.values())

    def _secrets(self, line: str) -> Iterator[tuple[str, str]]:
        with self._scanning:
            secrets = list(self._scan_line(line.rstrip("\r\n")))
        for secret in secrets:
            if secret.secret_value:
                yield secret.type, secret.secret_value


def _places(label: str, value: str, line: str) -> Iterator[tuple[int, int]]:
    """Find where in *line* the secret stands."""
    for match in re.finditer(re.escape(value), line):
        start, end = match.span()
        if label not in _EXACT:
            before, after = re.search(r"[\w-]*\Z", line[:start]), _WORD.match(line, end)
            start = before.start() if before else start
            end = after.end() if after else end
            if end - start < _MIN_TOKEN_CHARACTERS:
                continue
        yield start, end


def _whole_key(text: str, header: Span) -> Span:
    """Stretch the span of a key's first line to its last one, if it is in this window."""
    end = _PRIVATE_KEY_END.search(text, header.end, header.end + _MAX_KEY_CHARACTERS)
    dashes = 5 if text[max(0, header.start - 5) : header.start] == "-----" else 0
    return Span(start=header.start - dashes, end=end.end()) if end else header


def build(settings: Settings) -> Detector:
    return DetectSecretsDetector()
