"""What the API server says no with, in the words that callers act on. No message quotes an object's values."""


class ClusterError(Exception):
    """The API server did not do what was asked."""


class Unreachable(ClusterError):
    """Nothing answers, or it answers that it cannot now."""


class Denied(ClusterError):
    """No credentials, wrong ones, or no right to do this."""


class NotThere(ClusterError):
    """The object, or its kind, does not exist."""


class AlreadyThere(ClusterError):
    """An object of this name exists."""


class Stale(ClusterError):
    """The object has changed since it was read: read it again and decide again."""


class OwnedByOthers(ClusterError):
    """Another field manager owns what was to be changed; ``managers`` are their names."""

    def __init__(self, managers: tuple[str, ...]) -> None:
        super().__init__(f"owned by {', '.join(managers)}")
        self.managers = managers


class NotAccepted(ClusterError):
    """The object breaks its schema or an admission rule."""
