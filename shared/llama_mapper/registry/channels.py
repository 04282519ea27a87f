"""Which version is in use: promoted by name, rolled back to the one before, and never to one that cannot be trusted."""

from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import ValidationError

from llama_mapper.contracts.models import Channel, ChannelChange, ChannelName

from .catalogue import Registry, channel_key, parse_channel, verify
from .errors import ChannelEmpty, LostRace, RegistryError
from .keys import Keyring
from .storage import Changed, Exists


def _now() -> datetime:
    return datetime.now(UTC)


def promote(
    registry: Registry,
    version: str,
    trusted: Keyring,
    *,
    who: str,
    why: str | None = None,
    channel: ChannelName = "production",
    now: Callable[[], datetime] = _now,
) -> Channel:
    """Put *version* (or the one another channel uses) into use in *channel*, after checking every file of it.

    Raises:
        UnknownVersion, Untrusted: it is not published, or not as a trusted key signed it.
        RegistryError: the channel uses it already, or *who* or *why* is not a short line.
        LostRace: somebody else changed the channel meanwhile.
    """
    chosen = verify(registry, version, trusted).manifest.version

    def change(before: Channel | None) -> ChannelChange:
        if before and before.version == chosen:
            raise RegistryError(f"{channel} uses {chosen} already")
        previous = before.version if before else None
        return ChannelChange(action="promote", version=chosen, previous=previous, at=now(), who=who, why=why)

    return _exchange(registry, channel, change)


def rollback(
    registry: Registry,
    trusted: Keyring,
    *,
    who: str,
    why: str | None = None,
    channel: ChannelName = "production",
    now: Callable[[], datetime] = _now,
) -> Channel:
    """Take the last promotion back, so that *channel* uses what it used before; again, and one further back.

    Raises:
        ChannelEmpty: there is nothing to go back to.
        Untrusted: the version before is not as a trusted key signed it.
        LostRace: somebody else changed the channel meanwhile.
    """

    def change(before: Channel | None) -> ChannelChange:
        standing = before.promoted() if before else []
        if before is None or len(standing) < 2:
            raise ChannelEmpty(f"{channel} has no earlier version to go back to")
        target = verify(registry, standing[-2], trusted).manifest.version
        return ChannelChange(action="rollback", version=target, previous=before.version, at=now(), who=who, why=why)

    return _exchange(registry, channel, change)


def _exchange(registry: Registry, name: ChannelName, change: Callable[[Channel | None], ChannelChange]) -> Channel:
    """Append a change to the channel, unless it is another one by now."""
    key = channel_key(name)
    blob = registry.storage.read(key)
    before = parse_channel(blob, name) if blob else None
    try:
        made = change(before)
    except ValidationError as error:
        raise RegistryError("who and why are short lines: who an account's name, why at most 300 characters") from error
    after = Channel(name=name, version=made.version, history=(*(before.history if before else ()), made))
    data = (after.model_dump_json(indent=2, exclude_none=True) + "\n").encode()
    try:
        if blob:
            registry.storage.replace(key, data, blob.etag)
        else:
            registry.storage.create(key, data)
    except (Changed, Exists) as error:
        now_there = registry.storage.read(key)
        if now_there and now_there.data == data:  # ours: the storage took it, and its answer got lost on the way
            return after
        by_now = f"; it uses {parse_channel(now_there, name).version} now" if now_there else ""
        raise LostRace(
            f"somebody else changed {name} meanwhile{by_now}: look, and do it again if it still holds"
        ) from error
    return after
