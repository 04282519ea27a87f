"""What a receiver of callbacks does first: know that it was us (Standard Webhooks, ``v1``)."""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping

from pydantic import ValidationError

from llama_mapper.contracts.jobs import Job

TOLERANCE_SECONDS = 300
_PREFIX = "whsec_"


class WrongSignature(ValueError):
    """The callback is not ours, was changed, or is too old to be believed; answer 400 and forget it."""


def verify_webhook(
    headers: Mapping[str, str],
    body: bytes,
    secret: str,
    *,
    tolerance_seconds: int = TOLERANCE_SECONDS,
    now: float | None = None,
) -> Job:
    """Return the job that a callback tells of.

    Args:
        headers: as they came; the case of their names does not matter.
        body: the bytes as they came, not JSON that was read and written again.
        secret: ``whsec_…``, as GET /api/v1/webhooks/secret shows it.
        now: seconds since 1970; the clock when absent.

    Raises:
        WrongSignature: do not believe it. A callback may come twice; ``Job.id`` tells.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, timestamp = given["webhook-id"], given["webhook-timestamp"]
        signatures, at = given["webhook-signature"].split(), int(timestamp)
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (KeyError, ValueError, binascii.Error):
        raise WrongSignature("a header is missing or wrong, or the secret is none") from None
    if abs((time.time() if now is None else now) - at) > tolerance_seconds:
        raise WrongSignature("the callback is too old, or from the future")
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    ours = b"v1," + base64.b64encode(digest)
    # Compared as bytes: a header may hold any character, and compare_digest takes no other text than ASCII.
    if not any(hmac.compare_digest(ours, one.encode("utf-8", "replace")) for one in signatures):
        raise WrongSignature("no signature is ours")
    try:
        return Job.model_validate_json(body, extra="ignore")
    except ValidationError:
        pass  # raised below, where the body is not in the exception's context
    raise WrongSignature("signed, but in a shape that this client does not know")
