# METADATA
# description: Whether a request may enter, from its tenant and what it asks for.
package llama_mapper.admission

# METADATA
# description: Denied with reason codes unless the tenant is known and needs no key here.
# entrypoint: true
default admission := {"allow": false, "reasons": ["tenant.unknown"]}

admission := {"allow": count(_denials) == 0, "reasons": sort(_denials)} if _tenant

_tenant := data.tenants[input.tenant_id]

# Each denial stands unless the contrary is proven, so that a tenant whose entry is incomplete stays out. The proofs are
# rules of their own: where an operand is undefined, engines differ on what "not a <= b" means.
_denials contains "tenant.disabled" if not _enabled

_denials contains "tenant.needs_key" if not _known_enough

_denials contains "content.too_large" if not _fits

_enabled if _tenant.enabled == true

_known_enough if _tenant.key_required == false

_known_enough if input.authenticated == true

_fits if {
	is_number(input.content_characters)
	is_number(_tenant.max_content_characters)
	input.content_characters <= _tenant.max_content_characters
}
