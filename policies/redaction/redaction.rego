# METADATA
# description: Whether, how and of what a content is redacted, from what the caller asked and the decision obliges to.
package llama_mapper.redaction

import data.llama_mapper.tenancy

# METADATA
# description: Refused with reason codes unless the tenant may use the operator that was asked for; null redacts nothing.
# entrypoint: true
default redaction := {
	"allow": false,
	"operator": null,
	"reasons": ["redaction.undecided"],
	"labels": [],
	"min_confidence": 0,
}

redaction := {
	"allow": count(_denials) == 0,
	"operator": _operator,
	"reasons": sort(_denials),
	"labels": data.redaction.labels,
	"min_confidence": _min_confidence,
} if {
	is_string(input.tenant_id)
	is_array(data.redaction.labels)
}

_own := entry if {
	entry := data.redaction.tenants[input.tenant_id]
	is_object(entry)
}

# A tenant's own list replaces everybody's: it may name more operators, or none.
_operators := object.get(_own, "operators", data.redaction.operators)

_operators := data.redaction.operators if not _own

_asked if is_string(input.asked)

_permitted if {
	is_array(_operators)
	input.asked in _operators
	data.llama_mapper.tenancy.may_redact_by(input.asked)
}

_denials contains "redaction.operator" if {
	_asked
	not _permitted
}

# Where nobody asked, the tenant's entry says what an obligation to mask leads to.
_unasked := _own.unasked if {
	not _asked
	is_array(input.obligations)
	"mask_spans" in input.obligations
	_own.unasked in ["mask", "hash", "token"]
	data.llama_mapper.tenancy.may_redact_by(_own.unasked)
}

default _operator := null

_operator := input.asked if {
	_asked
	_permitted
}

_operator := _unasked

# 0 where nothing sensible is said: too much is masked then, not too little.
default _min_confidence := 0

_min_confidence := data.redaction.min_confidence if is_number(data.redaction.min_confidence)
