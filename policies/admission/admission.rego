# METADATA
# description: Whether a request may enter, from its tenant and what it asks for.
package llama_mapper.admission

import data.llama_mapper.tenancy

# METADATA
# description: Denied with reason codes unless the tenant is known and needs no key here; with the priority it gets.
# entrypoint: true
default admission := {"allow": false, "reasons": ["tenant.unknown"], "priority": "low"}

admission := {"allow": count(_denials) == 0, "reasons": sort(_denials), "priority": _priority} if {
	data.llama_mapper.tenancy.known
}

# Each denial stands unless the contrary is proven, so that a tenant whose entry is incomplete stays out. The proofs are
# rules of their own: where an operand is undefined, engines differ on what "not a <= b" means.
_denials contains "tenant.disabled" if not data.llama_mapper.tenancy.enabled

_denials contains "tenant.needs_key" if not _known_enough

_denials contains "content.too_large" if not _fits

_denials contains "priority.too_high" if {
	data.priorities.excess == "refuse"
	not _entitled
}

_known_enough if data.llama_mapper.tenancy.key_required == false

_known_enough if input.authenticated == true

_fits if {
	is_number(input.content_characters)
	input.content_characters <= data.llama_mapper.tenancy.max_content_characters
}

_entitled if _rank(_asked) <= _rank(data.llama_mapper.tenancy.max_priority)

default _asked := "normal"

_asked := input.priority if input.priority in data.llama_mapper.tenancy.priorities

# Who may not have what they ask for gets the most that they may have.
default _priority := "low"

_priority := data.llama_mapper.tenancy.priorities[place] if {
	place := min([_rank(_asked), _rank(data.llama_mapper.tenancy.max_priority)])
}

_rank(priority) := rank if {
	some rank, name in data.llama_mapper.tenancy.priorities
	name == priority
}
