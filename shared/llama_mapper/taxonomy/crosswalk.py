"""The table from other people's risk lists to canonical labels."""

from collections.abc import Iterator
from pathlib import Path

import yaml
from pydantic import Field, ValidationError, model_validator

from llama_mapper.contracts.identifiers import AnyCanonicalLabel
from llama_mapper.contracts.wire import Prose, Wire

from .tree import Taxonomy, TaxonomyError

DEFAULT = Path(__file__).with_name("crosswalk.yaml")


class Entry(Wire):
    """One category of a scheme; without labels it says why none fits."""

    code: str = Field(max_length=64)
    title: Prose
    labels: tuple[AnyCanonicalLabel, ...]
    reason: Prose | None = None

    @model_validator(mode="after")
    def _labels_or_reason(self) -> "Entry":
        if not self.labels and not self.reason:
            raise ValueError("an entry without labels needs a reason")
        return self


class Scheme(Wire):
    id: str
    name: Prose
    source: Prose
    entries: tuple[Entry, ...]


class Crosswalk(Wire):
    version: str
    schemes: tuple[Scheme, ...]

    def of(self, label: str) -> Iterator[tuple[str, Entry]]:
        """Every (scheme id, entry) that names *label*."""
        return ((s.id, e) for s in self.schemes for e in s.entries if label in e.labels)


def load_crosswalk(taxonomy: Taxonomy, path: Path = DEFAULT) -> Crosswalk:
    """Read the table and check it against *taxonomy*.

    Raises:
        TaxonomyError: the file cannot be read, or an entry names a label that is not in the taxonomy.
    """
    try:
        crosswalk = Crosswalk.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TaxonomyError([f"{path.name}: cannot be read ({type(error).__name__})"]) from error
    except ValidationError as error:
        faults = [f"{path.name}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)]
        raise TaxonomyError(faults) from None
    faults = [
        f"{scheme.id} {entry.code}: no label {label}"
        for scheme in crosswalk.schemes
        for entry in scheme.entries
        for label in entry.labels
        if label not in taxonomy
    ]
    if faults:
        raise TaxonomyError(faults)
    return crosswalk
