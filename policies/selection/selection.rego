# METADATA
# description: Which detectors judge a content, and which must have answered.
package llama_mapper.selection

import data.llama_mapper.tenancy

# METADATA
# description: Detector ids to run and to require; the empty answer (nothing runs) makes orchestrate fail closed.
# entrypoint: true
default selection := {"detectors": [], "required": [], "coverage_method": "REQUIRED_SET"}

selection := {
	"detectors": sort(_chosen),
	"required": sort(_required),
	"coverage_method": _method,
	"weights": object.get(data.selection, "weights", {}),
	"pillars": object.get(data.selection, "pillars", {}),
} if {
	count(_chosen) > 0
}

# The entry of the tenant itself, then the class, the route, the type and the mode: the first that names a method.
_methods := [context.coverage_method |
	some context in array.concat(data.llama_mapper.tenancy.layers, data.llama_mapper.tenancy.contexts)
	is_string(context.coverage_method)
]

_method := _methods[0]

_method := data.selection.coverage_method if count(_methods) == 0

_profile := data.selection.profiles[input.processing_mode]

_for_type := object.get(data.selection.content_types, object.get(input, "content_type", ""), {})

_dropped := object.get(_for_type, "drop", [])

_excluded := object.get(input, "excluded", [])

# What a caller names takes the profile's place, and nothing else's.
_named if {
	is_array(input.named)
	count(input.named) > 0
}

_wanted contains id if {
	_named
	some id in input.named
	not id in _excluded
}

_wanted contains id if {
	not _named
	some id in _profile.detectors
	not id in _dropped
	not id in _excluded
}

_wanted contains id if {
	not _named
	some context in data.llama_mapper.tenancy.contexts
	some id in _words(context, "add")
	not id in _dropped
	not id in _excluded
}

_wanted contains id if {
	not _named
	_mode
	some id in data.llama_mapper.tenancy.extra_detectors
	not id in _excluded
}

_mode if is_object(_profile)

_wanted contains id if {
	_mode_or_named
	some id in _insisted
}

_mode_or_named if _mode

_mode_or_named if _named

_chosen := {id | some id in _wanted; id in input.available}

# What the platform requires of a route or a class, and whoever administers the tenant of the tenant: no caller leaves
# it out.
_insisted contains id if {
	some context in data.llama_mapper.tenancy.contexts
	some id in _words(context, "require")
}

_insisted contains id if some id in data.llama_mapper.tenancy.required_detectors

_words(context, field) := context[field] if is_array(context[field])

_required contains id if some id in _insisted

_required contains id if {
	_named
	some id in input.named
	not id in _excluded
}

# What does not fit the content type is not missed there.
_required contains id if {
	not _named
	some id in _profile.required
	not id in _dropped
	not id in _excluded
}

# What a caller requires is required even where it is not available: coverage must show the gap.
_required contains id if {
	is_array(input.required)
	some id in input.required
	not id in _excluded
}
