"""Read an adapter's card, and refuse an adapter that is not the one it says."""

import hashlib
from pathlib import Path

from pydantic import ValidationError

from llama_mapper.chassis.settings import SettingsError
from llama_mapper.contracts.models import CARD, RANKER, WEIGHTS, AdapterCard
from llama_mapper.contracts.prompt import PROMPT_VERSION


def read_card(adapter: Path, trusted_keys: Path | None = None) -> AdapterCard:
    """Read the card in the folder *adapter* and check that weights and ranker are the ones it was written for.

    Args:
        trusted_keys: folder of public keys. With it every file must be one that a trusted key has signed, so an
            adapter without a manifest is refused too: else deleting the manifest would be the way around it.

    Raises:
        SettingsError: missing, unreadable, for another prompt, another digest, or not signed by a trusted key.
    """
    try:
        card = AdapterCard.model_validate_json((adapter / CARD).read_bytes())
        digests = {name: hashlib.sha256((adapter / name).read_bytes()).hexdigest() for name in (WEIGHTS, RANKER)}
    except (OSError, ValidationError) as error:
        raise SettingsError(f"MAPPER_ADAPTER: no readable adapter there ({type(error).__name__})") from error
    if card.prompt != PROMPT_VERSION:
        raise SettingsError(f"MAPPER_ADAPTER: it was trained for another prompt than {PROMPT_VERSION}")
    if digests[WEIGHTS] != card.weights_sha256:
        raise SettingsError("MAPPER_ADAPTER: the weights are not the ones of card.json")
    if digests[RANKER] != card.ranker_sha256:
        raise SettingsError("MAPPER_ADAPTER: the ranker is not the one of card.json")
    if trusted_keys:
        _check_signature(adapter, trusted_keys, card)
    return card


def _check_signature(adapter: Path, trusted_keys: Path, card: AdapterCard) -> None:
    from llama_mapper.registry import Keyring, RegistryError, verify_folder

    try:
        manifest = verify_folder(adapter, Keyring.read(trusted_keys.expanduser()))
    except RegistryError as error:
        raise SettingsError(f"MAPPER_TRUSTED_KEYS: {error}") from error
    if manifest.version != card.version:
        raise SettingsError(f"MAPPER_TRUSTED_KEYS: the signed version is {manifest.version}, the card's {card.version}")
