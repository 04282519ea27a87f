"""The canonical labels: a versioned tree of what a detector can have found."""

from .crosswalk import Crosswalk, load_crosswalk
from .tree import Label, Taxonomy, TaxonomyError, current_version, load, parse

__all__ = ["Crosswalk", "Label", "Taxonomy", "TaxonomyError", "current_version", "load", "load_crosswalk", "parse"]
