# METADATA
# description: Whether a request may enter, from its tenant and what it asks for.
package llama_mapper.admission

# METADATA
# description: Denied with reason codes unless the tenant is known and needs no key here.
# entrypoint: true
default admission := {"allow": false, "reasons": ["tenant.unknown"]}

admission := {"allow": count(_denials) == 0, "reasons": sort(_denials)} if _tenant

_tenant := data.tenants[input.tenant_id]

_denials contains "tenant.disabled" if not _tenant.enabled

_denials contains "tenant.needs_key" if {
	_tenant.key_required
	not input.authenticated
}

_denials contains "content.too_large" if input.content_characters > _tenant.max_content_characters
