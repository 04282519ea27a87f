"""A replica's short memory of what it read from a store that others write to."""

from collections.abc import Callable

from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.reviews import ReviewId, ReviewItem

Place = tuple[TenantId, ReviewId]

REMEMBERED_SECONDS = 2.0
"""How long a replica goes by a decision, or by its absence, before it asks the store again."""


class Remembered:
    """Decisions, and their absence, as they were read last; the oldest are forgotten first."""

    def __init__(self, timer: Callable[[], float], seconds: float = REMEMBERED_SECONDS, most: int = 10_000) -> None:
        self._timer = timer
        self._seconds = seconds
        self._most = most
        self._read: dict[Place, tuple[float, ReviewItem | None]] = {}

    def get(self, place: Place) -> tuple[ReviewItem | None, bool]:
        """Return what was read last, if anything, and whether that is recent enough to be gone by."""
        until, item = self._read.get(place, (self._timer(), None))
        return item, self._timer() < until

    def put(self, place: Place, item: ReviewItem | None) -> None:
        self._read.pop(place, None)
        if len(self._read) >= self._most:
            del self._read[next(iter(self._read))]
        self._read[place] = (self._timer() + self._seconds, item)

    def clear(self) -> None:
        self._read.clear()
