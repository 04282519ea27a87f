"""A text that was made from another one, and which code points of that one each of its own stands for."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Edit = tuple[int, int, str]
"""What stands in place of text[start:end]; nothing is a removal."""


@dataclass(frozen=True, slots=True)
class MappedText:
    """*text*, whose code point ``i`` stands for ``[starts[i], ends[i])`` of the source; both never fall."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    @classmethod
    def of(cls, source: str) -> "MappedText":
        """The source itself."""
        return cls(source, range(len(source)), range(1, len(source) + 1))

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Return the source's range behind text[start:end], which must not be empty."""
        return self.starts[start], self.ends[end - 1]

    def edited(self, edits: Iterable[Edit]) -> "MappedText":
        """Apply *edits*, which are in order and do not overlap; what is put in stands for all it replaces."""
        parts: list[str] = []
        starts, ends = array("l"), array("l")
        done = 0
        for start, end, new in edits:
            parts += (self.text[done:start], new)
            starts.extend(self.starts[done:start])
            ends.extend(self.ends[done:start])
            first, last = self.origin(start, end)
            starts.extend([first] * len(new))
            ends.extend([last] * len(new))
            done = end
        parts.append(self.text[done:])
        starts.extend(self.starts[done:])
        ends.extend(self.ends[done:])
        return MappedText("".join(parts), starts, ends)


def joined(pieces: Sequence[tuple[str, int, int]], separator: str) -> MappedText:
    """Return the texts of (text, source start, source end), each standing for all of its range."""
    starts, ends = array("l"), array("l")
    for number, (text, start, end) in enumerate(pieces):
        length = len(text) + (len(separator) if number < len(pieces) - 1 else 0)
        starts.extend([start] * length)
        ends.extend([end] * length)
    return MappedText(separator.join(text for text, _, _ in pieces), starts, ends)
