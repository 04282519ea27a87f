"""The model registry: trained adapters as signed, immutable versions, and the channels that name the one in use.

registry = open_registry("s3://models")           # or a folder
manifest = publish(registry, Path("experiments/smollm2-hard"), SigningKey.read("signing.pem"))
promote(registry, manifest.version, Keyring.read(Path("trusted")), who="training-job")
pull(registry, "production", Path("adapter"), Keyring.read(Path("trusted")))
"""

from .catalogue import CHANNELS, Published, Registry, describe, open_registry, read_channel, read_text, verify, versions
from .channels import promote, rollback
from .errors import (
    AlreadyPublished,
    ChannelEmpty,
    KeyFault,
    LostRace,
    RegistryError,
    Unfinished,
    UnknownVersion,
    Unpublishable,
    Unreachable,
    Untrusted,
)
from .keys import Keyring, SigningKey
from .publication import publish
from .pulling import pull
from .trust import Verified, verify_folder

__all__ = [
    "CHANNELS",
    "AlreadyPublished",
    "ChannelEmpty",
    "KeyFault",
    "Keyring",
    "LostRace",
    "Published",
    "Registry",
    "RegistryError",
    "SigningKey",
    "Unfinished",
    "UnknownVersion",
    "Unpublishable",
    "Unreachable",
    "Untrusted",
    "Verified",
    "describe",
    "open_registry",
    "promote",
    "publish",
    "pull",
    "read_channel",
    "read_text",
    "rollback",
    "verify",
    "verify_folder",
    "versions",
]
