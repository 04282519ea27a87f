"""Storage that goes wrong at a chosen moment, in front of one that does not."""

from collections.abc import Callable
from dataclasses import dataclass, field

from llama_mapper.registry.errors import Unreachable
from llama_mapper.registry.storage import Blob, Storage


@dataclass
class Passing:
    """Hands everything on to *inner*, and keeps which keys were created."""

    inner: Storage
    created: list[str] = field(default_factory=list)

    def read(self, key: str) -> Blob | None:
        return self.inner.read(key)

    def digest(self, key: str) -> str | None:
        return self.inner.digest(key)

    def create(self, key: str, data: bytes) -> None:
        self.inner.create(key, data)
        self.created.append(key)

    def replace(self, key: str, data: bytes, etag: str) -> None:
        self.inner.replace(key, data, etag)

    def delete(self, key: str) -> None:
        self.inner.delete(key)

    def names(self, prefix: str) -> list[str]:
        return self.inner.names(prefix)


@dataclass
class Breaking(Passing):
    """Gone after it has created so many objects."""

    after: int = 0

    def create(self, key: str, data: bytes) -> None:
        if len(self.created) >= self.after:
            raise Unreachable("the storage is away")
        super().create(key, data)


@dataclass
class Interrupted(Passing):
    """Lets somebody else do something just before the first write of the key that ends in *suffix*."""

    suffix: str = ""
    meanwhile: Callable[[], object] | None = None

    def create(self, key: str, data: bytes) -> None:
        self._let_in(key)
        super().create(key, data)

    def replace(self, key: str, data: bytes, etag: str) -> None:
        self._let_in(key)
        super().replace(key, data, etag)

    def _let_in(self, key: str) -> None:
        meanwhile, fits = self.meanwhile, key.endswith(self.suffix)
        if meanwhile and fits:
            self.meanwhile = None
            meanwhile()


@dataclass
class AnswerLost(Passing):
    """Writes every object whose key ends in *suffix* and then claims, as a retry would, that it was there before."""

    suffix: str = ""

    def create(self, key: str, data: bytes) -> None:
        super().create(key, data)
        if key.endswith(self.suffix):
            self.inner.create(key, data)

    def replace(self, key: str, data: bytes, etag: str) -> None:
        super().replace(key, data, etag)
        if key.endswith(self.suffix):
            self.inner.replace(key, data, etag)
