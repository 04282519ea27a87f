"""Keyed hashes: equal inputs can be told equal, and nobody without the key can guess the input."""

import hashlib
import hmac

from llama_mapper.contracts.identifiers import ContentHmac, TenantId


def content_hmac(key: bytes, tenant_id: TenantId, content: str) -> ContentHmac:
    """HMAC-SHA-256 (RFC 2104) over tenant and content; the tenant is in the message, so tenants cannot be compared."""
    message = tenant_id.encode() + b"\0" + content.encode("utf-8", "surrogatepass")
    return ContentHmac(hmac.new(key, message, hashlib.sha256).hexdigest())
