# METADATA
# description: Whether a principal may do something, by scope, tenant and how it proved who it is.
package llama_mapper.access

import data.llama_mapper.tenancy

# METADATA
# description: Denied with reason codes unless the scope is held and, for what administers, a second factor was shown.
# entrypoint: true
default access := {"allow": false, "reasons": ["access.undecided"]}

access := {"allow": count(_denials) == 0, "reasons": sort(_denials)} if is_string(input.action)

_denials contains "tenant.other" if not _own_tenant

_denials contains "scope.missing" if {
	not _open
	not _permitted
}

_denials contains "tenant.unknown" if {
	_open
	not _known
}

_denials contains "tenant.needs_key" if {
	_open
	not _keyless
}

_denials contains "credential.missing" if {
	_open
	not _permitted
}

_denials contains "mfa.needed" if {
	not _ordinary
	not _stepped_up
}

# Without the list everything administers.
_ordinary if {
	is_array(data.access.administrative)
	every action in data.access.administrative { action != input.action }
}

# Who has not said who they are is held to the tenant's own rule, and never administers.
_open if input.principal.kind == "open"

_known if data.llama_mapper.tenancy.known

_keyless if data.llama_mapper.tenancy.key_required == false

_own_tenant if _open

_own_tenant if {
	is_array(input.principal.tenants)
	input.tenant_id in input.principal.tenants
}

# The platform's own administrators belong to every tenant, for what administers tenants and nothing else.
_own_tenant if {
	is_array(input.principal.tenants)
	"*" in input.principal.tenants
	is_array(data.access.platform)
	input.action in data.access.platform
}

_permitted if {
	_open
	is_array(data.access.open)
	input.action in data.access.open
}

_permitted if {
	input.principal.kind in ["key", "token"]
	is_array(input.principal.scopes)
	input.action in input.principal.scopes
}

# RFC 9470 calls it step-up: a strong method or class, shown not too long ago.
_stepped_up if {
	_strong
	is_number(input.principal.age_seconds)
	input.principal.age_seconds >= 0
	input.principal.age_seconds <= data.access.step_up.max_age_seconds
}

_strong if {
	is_array(input.principal.amr)
	some method in input.principal.amr
	method in data.access.step_up.amr
}

_strong if input.principal.acr in data.access.step_up.acr
