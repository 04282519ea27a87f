"""A trained adapter as an artefact: its card, its signed manifest, and the channels that name the one in use."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, FiniteFloat, NonNegativeInt, StringConstraints, model_validator

from .confidence import Stack
from .wire import Consumed, Token, Wire

WEIGHTS, RANKER, CARD, RECORD = "adapter_model.safetensors", "ranker.txt", "card.json", "training_record.json"
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
ModelVersion = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$")]
"""Also a folder's name, so it holds no slash."""
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
KeyId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
"""The first 16 hex digits of SHA-256 of the raw public key: nobody can choose it."""
Actor = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
"""The account or job that did something."""
Reason = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f\u2028\u2029]+$")]

ChannelName = Literal["production", "canary"]


class AdapterCard(Wire):
    """``card.json`` beside an adapter's weights: what serving must know of it.

    ``stack`` reads what model and ranker say together, ``without_model`` what the ranker says alone.
    """

    version: ModelVersion
    prompt: Token
    weights_sha256: Sha256
    ranker_sha256: Sha256
    stack: Stack
    without_model: Stack


class TrainingRecord(Consumed):
    """``training_record.json`` beside an adapter's weights: what it was made from. Training may write more."""

    base: Token
    revision: Token | None = None
    base_sha256: Sha256 | None = None
    prompt: Token
    data: Token
    taxonomy: Token | None = None
    fold: Token
    examples: NonNegativeInt
    steps: NonNegativeInt
    seconds: NonNegativeInt
    libraries: dict[Token, Token] = Field(default_factory=dict, max_length=64)


class ModelFile(Wire):
    """One file of a version; ``size`` in bytes."""

    name: FileName
    size: NonNegativeInt
    sha256: Sha256


class MadeFrom(Wire):
    """The versions of all that went into an adapter.

    ``revision`` is the commit of a base model that came from a hub, ``base_sha256`` the digest of its weights.
    """

    base: Token
    revision: Token | None = None
    base_sha256: Sha256 | None = None
    data: Token
    taxonomy: Token
    prompt: Token
    libraries: dict[Token, Token] = Field(default_factory=dict, max_length=64)


class Manifest(Consumed):
    """``manifest.json``: every file of a version. Its exact bytes are what is signed, so it names no time and no place.

    An older reader ignores what later manifests add.
    """

    format: Literal[1] = 1
    model: Literal["mapper"] = "mapper"
    version: ModelVersion
    made_from: MadeFrom
    metrics: dict[Token, FiniteFloat] = Field(default_factory=dict, max_length=64)
    files: tuple[ModelFile, ...] = Field(min_length=1, max_length=64)

    @model_validator(mode="after")
    def _files_are_whole(self) -> "Manifest":
        names = [file.name for file in self.files]
        if len(set(names)) < len(names) or not {CARD, WEIGHTS} <= set(names) or {MANIFEST, SIGNATURE} & set(names):
            raise ValueError("a manifest names each file once, card and weights among them, and not itself")
        return self


class Signature(Wire):
    """``manifest.sig``: an Ed25519 signature (RFC 8032) over the bytes of ``manifest.json``, in base64."""

    algorithm: Literal["ed25519"] = "ed25519"
    key_id: KeyId
    signature: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{86}==$")]


class ChannelChange(Wire):
    """One step of a channel, kept for good: who moved it from which version to which."""

    action: Literal["promote", "rollback"]
    version: ModelVersion
    previous: ModelVersion | None = None
    at: AwareDatetime
    who: Actor
    why: Reason | None = None


class Channel(Wire):
    """``channels/<name>.json``: the version in use, and how it came to that, oldest first."""

    name: ChannelName
    version: ModelVersion
    history: tuple[ChannelChange, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _version_is_the_last(self) -> "Channel":
        if self.version != self.history[-1].version:
            raise ValueError("the version in use is that of the last change")
        return self

    def promoted(self) -> list[str]:
        """Return the promotions that still hold, oldest first: a rollback takes the last one back."""
        standing: list[str] = []
        for change in self.history:
            if change.action == "promote":
                standing.append(change.version)
            else:
                standing = standing[:-1]
        return standing
