"""What a registry holds: published versions, and which channel names which.

models/mapper/<version>/   an adapter's files; without a manifest.json it is not published yet
channels/<name>.json       the version in use, and how it came to that
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import get_args
from urllib.parse import unquote, urlsplit

from pydantic import TypeAdapter, ValidationError

from llama_mapper.contracts.models import MANIFEST, SIGNATURE, Channel, ChannelName, Manifest, ModelVersion, Signature

from .directory import DirectoryStorage
from .errors import ChannelEmpty, RegistryError, UnknownVersion, Untrusted
from .keys import Keyring
from .storage import Blob, Storage
from .trust import Verified, verified

CHANNELS: tuple[ChannelName, ...] = get_args(ChannelName)
_VERSIONS = "models/mapper/"
_VERSION: TypeAdapter[str] = TypeAdapter(ModelVersion)


@dataclass(frozen=True, slots=True)
class Registry:
    storage: Storage


@dataclass(frozen=True, slots=True)
class Published:
    """A version as the registry lists it: nothing here has been verified. No manifest where it cannot be read."""

    version: str
    manifest: Manifest | None
    key_id: str | None
    published_at: datetime
    channels: tuple[ChannelName, ...]


def open_registry(url: str) -> Registry:
    """Open ``s3://bucket/prefix``, ``file:///folder`` or a plain folder, which need not be there yet.

    Raises:
        RegistryError: another kind of address.
        Unreachable: S3 cannot be used as configured.
    """
    parts = urlsplit(url)
    if parts.scheme == "s3" and parts.netloc:
        from .s3 import S3Storage, connect

        return Registry(S3Storage(connect(), parts.netloc, parts.path))
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path:
        return Registry(DirectoryStorage(Path(unquote(parts.path))))
    if "://" in url or not url:
        raise RegistryError("a registry is a folder, file:///folder or s3://bucket/prefix")
    return Registry(DirectoryStorage(Path(url).expanduser()))


def file_key(version: str, name: str) -> str:
    return f"{_VERSIONS}{version}/{name}"


def channel_key(name: ChannelName) -> str:
    return f"channels/{name}.json"


def resolve(registry: Registry, name: str) -> str:
    """Return the version that *name* means: the one in use where it is a channel's, else itself.

    Raises:
        ChannelEmpty: nothing was promoted to that channel yet.
        UnknownVersion: it cannot be a version's name.
    """
    for channel in CHANNELS:
        if name == channel:
            found = read_channel(registry, channel)
            if found is None:
                raise ChannelEmpty(f"nothing was promoted to {channel} yet")
            return found.version
    try:
        return _VERSION.validate_python(name)
    except ValidationError as error:
        raise UnknownVersion("a version's name has letters, digits and ._+- only") from error


def read_channel(registry: Registry, name: ChannelName) -> Channel | None:
    """Return the channel, None where nothing was promoted to it yet.

    Raises:
        Untrusted: its file cannot be read.
    """
    blob = registry.storage.read(channel_key(name))
    return parse_channel(blob, name) if blob else None


def parse_channel(blob: Blob, name: ChannelName) -> Channel:
    try:
        channel = Channel.model_validate_json(blob.data)
    except ValidationError as error:
        raise Untrusted(f"the file of the channel {name} is broken") from error
    if channel.name != name:
        raise Untrusted(f"the file of the channel {name} is that of another")
    return channel


def versions(registry: Registry) -> list[Published]:
    """List what is published, newest first. An upload that was interrupted is not there."""
    in_use = {name: channel.version for name in CHANNELS if (channel := read_channel(registry, name))}
    found = (_published(registry, name, in_use) for name in registry.storage.names(_VERSIONS))
    return sorted((one for one in found if one), key=lambda one: (one.published_at, one.version), reverse=True)


def describe(registry: Registry, name: str) -> Published:
    """Return one version by its name or a channel's.

    Raises:
        UnknownVersion, ChannelEmpty
    """
    version = resolve(registry, name)
    in_use = {channel: found.version for channel in CHANNELS if (found := read_channel(registry, channel))}
    published = _published(registry, version, in_use)
    if published is None:
        raise UnknownVersion(f"{version} is not published here")
    return published


def read_text(registry: Registry, version: str, name: str) -> str | None:
    """Return a file of a version as text, without checking it; None where there is none."""
    blob = registry.storage.read(file_key(version, name))
    return blob.data.decode("utf-8", "replace") if blob else None


def verify(registry: Registry, name: str, trusted: Keyring) -> Verified:
    """Check every file of a version, by its name or a channel's.

    Raises:
        UnknownVersion, ChannelEmpty
        Untrusted: the signature or a digest is wrong, or the manifest is another version's.
    """
    version = resolve(registry, name)
    if registry.storage.read(file_key(version, MANIFEST)) is None:
        raise UnknownVersion(f"{version} is not published here")

    def read(file: str) -> bytes | None:
        blob = registry.storage.read(file_key(version, file))
        return blob.data if blob else None

    try:
        found = verified(read, trusted)
    except Untrusted as error:
        raise Untrusted(f"{version}: {error}") from error
    if found.manifest.version != version:
        raise Untrusted(f"{version}: the manifest is that of {found.manifest.version}")
    return found


def _published(registry: Registry, version: str, in_use: Mapping[ChannelName, str]) -> Published | None:
    blob = registry.storage.read(file_key(version, MANIFEST))
    if blob is None:
        return None
    signature = registry.storage.read(file_key(version, SIGNATURE))
    channels = tuple(name for name, used in in_use.items() if used == version)
    try:
        manifest = Manifest.model_validate_json(blob.data)
    except ValidationError:
        manifest = None
    try:
        key = Signature.model_validate_json(signature.data).key_id if signature else None
    except ValidationError:
        key = None
    return Published(version, manifest, key, blob.modified, channels)
