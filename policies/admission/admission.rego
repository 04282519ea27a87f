# METADATA
# description: Whether a request may enter, from its tenant and what it asks for.
package llama_mapper.admission

import data.llama_mapper.tenancy

# METADATA
# description: Denied with reason codes unless the tenant is known and needs no key here; with the priority it gets.
# entrypoint: true
default admission := {"allow": false, "reasons": ["tenant.unknown"], "priority": "low"}

admission := {"allow": count(_denials) == 0, "reasons": sort(_denials), "priority": _priority} if tenancy.known

# Each denial stands unless the contrary is proven, so that a tenant whose entry is incomplete stays out. The proofs are
# rules of their own: where an operand is undefined, engines differ on what "not a <= b" means.
_denials contains "tenant.disabled" if not tenancy.enabled

_denials contains "tenant.needs_key" if not _known_enough

_denials contains "content.too_large" if not _fits

_denials contains "priority.too_high" if {
	data.priorities.excess == "refuse"
	not _entitled
}

_known_enough if tenancy.key_required == false

_known_enough if input.authenticated == true

_fits if {
	is_number(input.content_characters)
	input.content_characters <= tenancy.max_content_characters
}

_entitled if _rank(_asked) <= _rank(tenancy.max_priority)

default _asked := "normal"

_asked := input.priority if input.priority in tenancy.priorities

# Who may not have what they ask for gets the most that they may have.
default _priority := "low"

_priority := tenancy.priorities[min([_rank(_asked), _rank(tenancy.max_priority)])]

_rank(priority) := rank if {
	some rank, name in tenancy.priorities
	name == priority
}
