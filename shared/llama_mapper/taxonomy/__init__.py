"""The canonical labels: a versioned tree of what a detector can have found."""

from .crosswalk import Crosswalk, load_crosswalk
from .tree import Label, Taxonomy, TaxonomyError, load, parse

__all__ = ["Crosswalk", "Label", "Taxonomy", "TaxonomyError", "load", "load_crosswalk", "parse"]
