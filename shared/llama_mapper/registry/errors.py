"""What can go wrong in a model registry. The messages are for people; they hold no key and no credential.

RegistryError
├── UnknownVersion     nothing finished is published under that name
├── AlreadyPublished   versions never change
├── Unfinished         an interrupted upload of that version holds other contents
├── Unpublishable      the folder is not a trained and scored experiment
├── Untrusted          a signature or digest is not what it must be
├── KeyFault           a key cannot be read or written
├── ChannelEmpty       the channel has no version, or none to go back to
├── LostRace           somebody else changed the same thing meanwhile
└── Unreachable        the storage does not answer or refuses
"""


class RegistryError(Exception):
    """Base of all of them."""


class UnknownVersion(RegistryError):
    """Nothing finished is published under that name."""


class AlreadyPublished(RegistryError):
    """Versions never change; ``identical`` says whether what is there is what was to be published."""

    def __init__(self, version: str, *, identical: bool) -> None:
        contents = "with these very contents" if identical else "with other contents, and versions never change"
        super().__init__(f"{version} is already published, {contents}")
        self.identical = identical


class Unfinished(RegistryError):
    """An interrupted upload of that version holds other contents."""


class Unpublishable(RegistryError):
    """The folder is not a trained and scored experiment."""


class Untrusted(RegistryError):
    """A signature or digest is not what it must be."""


class KeyFault(RegistryError):
    """A key cannot be read or written."""


class ChannelEmpty(RegistryError):
    """The channel has no version, or none to go back to."""


class LostRace(RegistryError):
    """Somebody else changed the same thing meanwhile."""


class Unreachable(RegistryError):
    """The storage does not answer or refuses."""
