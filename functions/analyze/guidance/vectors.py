"""Passages by their meaning: MiniLM vectors, made once and kept beside the knowledge in eight bits a number."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_MAX_TOKENS = 128
"""The longest passage has fewer."""


class NoVectors(Exception):
    """Vectors cannot be used: the model's packages are absent, or the kept ones are of other passages."""


class Vectors:
    def __init__(self, kept: Path, digest: str) -> None:
        """Read the vectors in *kept*, which must be of the passages with *digest*, and the model for questions.

        Raises:
            NoVectors: the model is not installed, or the file is absent, broken or of other passages.
        """
        try:
            import numpy as np

            from llama_mapper.taxonomy.embedding import MiniLM

            self._model = MiniLM(max_tokens=_MAX_TOKENS)
            with np.load(kept, allow_pickle=False) as stored:
                of, small, owners = str(stored["digest"]), stored["vectors"], stored["owners"]
        except (ImportError, OSError, ValueError, KeyError) as error:
            raise NoVectors(type(error).__name__) from error
        if of != digest:
            raise NoVectors("made of other passages")
        wide = small.astype(np.float32)
        self._vectors: Floats = wide / np.linalg.norm(wide, axis=1, keepdims=True)
        self._firsts = np.flatnonzero(np.diff(owners, prepend=-1))

    def likeness(self, question: str) -> "Floats":
        """Cosine of *question* with every passage, by place: the mean of its whole and of its nearest piece."""
        import numpy as np

        cosines = self._vectors @ self._model.embed([question])[0]
        whole = cosines[self._firsts]
        pieces = cosines.copy()
        pieces[self._firsts] = -1.0
        likeness: Floats = (whole + np.maximum.reduceat(pieces, self._firsts)) / 2
        return likeness


def nearest(likeness: "Floats", among: Collection[int], limit: int) -> list[int]:
    """Places of the passages that are most alike, best first."""
    import numpy as np

    order = (int(place) for place in np.argsort(-likeness, kind="stable"))
    return [place for place in order if place in among][:limit]


def write(passages: Sequence[Sequence[str]], digest: str, kept: Path) -> None:
    """Make the vectors of *passages*, each a whole and its pieces, and keep them in *kept*.

    Raises:
        ModuleNotFoundError: the model is not installed.
    """
    import numpy as np

    from llama_mapper.taxonomy.embedding import MiniLM

    vectors = MiniLM(max_tokens=_MAX_TOKENS).embed([piece for pieces in passages for piece in pieces])
    owners = np.repeat(np.arange(len(passages), dtype=np.int16), [len(pieces) for pieces in passages])
    # Eight bits move a cosine by less than 0.005, and the file is a quarter of the size.
    small = np.round(vectors / np.abs(vectors).max(axis=1, keepdims=True) * 127).astype(np.int8)
    np.savez_compressed(kept, digest=np.array(digest), owners=owners, vectors=small)
