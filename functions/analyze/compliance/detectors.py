"""Which canonical labels a detector can report: detectors.json, made of the mapper's vocabularies.

``llama-mapper frameworks detectors`` writes the file; what people decided in review on a running system is not in it.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from llama_mapper.contracts.compliance import DetectorRan, Reach, VersionPattern
from llama_mapper.contracts.identifiers import AnyCanonicalLabel, AnyDetectorId, CanonicalLabel, DetectorId
from llama_mapper.contracts.wire import Token, Wire

FILE = Path(__file__).with_name("detectors.json")


Able = tuple[DetectorId, tuple[str, ...]]
"""A detector and the versions that report the same labels."""


class DetectorsError(ValueError):
    """detectors.json is missing or broken."""


class Speaker(Wire):
    """One vocabulary: a detector in some versions, and the labels its words mean.

    ``runs`` is false for label lists of data sets and catalogues: they name findings, and nobody can switch them on.
    """

    detector: AnyDetectorId
    aliases: tuple[AnyDetectorId, ...] = ()
    versions: tuple[VersionPattern, ...]
    runs: bool = True
    labels: tuple[AnyCanonicalLabel, ...]


class Speakers(Wire):
    """All vocabularies; *version* changes with any of them."""

    version: Token
    speakers: tuple[Speaker, ...]

    @cached_property
    def by_name(self) -> dict[str, tuple[Speaker, ...]]:
        """Detector or alias -> its vocabularies."""
        found: dict[str, list[Speaker]] = {}
        for speaker in self.speakers:
            for name in (speaker.detector, *speaker.aliases):
                found.setdefault(name, []).append(speaker)
        return {name: tuple(speakers) for name, speakers in found.items()}

    def labels(self, ran: DetectorRan) -> frozenset[CanonicalLabel] | None:
        """What a detector that ran can report; None where no vocabulary knows it, or none fits its version.

        Without a version only what every known version can report is promised.
        """
        speakers = self.by_name.get(ran.detector, ())
        if ran.version not in (None, "unknown"):
            best = _best(speakers, str(ran.version))
            return frozenset(best.labels) if best else None
        if not speakers:
            return None
        return frozenset[CanonicalLabel].intersection(*(frozenset(speaker.labels) for speaker in speakers))

    @cached_property
    def could_run(self) -> dict[Able, frozenset[CanonicalLabel]]:
        """Every detector that can be switched on, by its versions, with what they report."""
        able = sorted((s for s in self.speakers if s.runs), key=lambda s: (s.detector, s.versions))
        return {(speaker.detector, speaker.versions): frozenset(speaker.labels) for speaker in able}


def read(path: Path = FILE) -> Speakers:
    """Read detectors.json.

    Raises:
        DetectorsError: it is missing or broken.
    """
    try:
        return Speakers.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise DetectorsError(f"{path.name}: cannot be read ({type(error).__name__})") from None


def reach(label: str, reported: Iterable[str]) -> Reach:
    """What can be said of *label* where *reported* are the labels that somebody can report."""
    names = set(reported)
    if label in names:
        return "itself"
    if any(name.startswith(f"{label}.") for name in names):
        return "narrower"
    return "broader" if any(label.startswith(f"{name}.") for name in names) else "none"


def _best(speakers: Sequence[Speaker], version: str) -> Speaker | None:
    """The vocabulary that the mapper would take: equal version, else the longest prefix, else any."""
    fits = [(_fit(pattern, version), -i) for i, speaker in enumerate(speakers) for pattern in speaker.versions]
    best = max(fits, default=(0, 0))
    return speakers[-best[1]] if best[0] else None


def _fit(pattern: str, version: str) -> int:
    if pattern == version:
        return 1000
    if pattern == "*":
        return 1
    return 1 + len(pattern) if version.startswith((f"{pattern}.", f"{pattern}-", f"{pattern}+")) else 0
