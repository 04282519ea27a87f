# METADATA
# description: Which detectors judge a content when the caller names none, and which must have answered.
package llama_mapper.selection

# METADATA
# description: Detector ids to run and to require; the empty answer (nothing runs) makes orchestrate fail closed.
# entrypoint: true
default selection := {"detectors": [], "required": [], "coverage_method": "REQUIRED_SET"}

selection := {
	"detectors": sort(_chosen),
	"required": sort(_required),
	"coverage_method": data.selection.coverage_method,
	"weights": object.get(data.selection, "weights", {}),
	"pillars": object.get(data.selection, "pillars", {}),
} if {
	count(_chosen) > 0
}

_profile := data.selection.profiles[input.processing_mode]

_for_type := object.get(data.selection.content_types, object.get(input, "content_type", ""), {})

_added := object.get(_for_type, "add", [])

_dropped := object.get(_for_type, "drop", [])

_excluded := object.get(input, "excluded", [])

_chosen := {id |
	some id in array.concat(_profile.detectors, _added)
	not id in _dropped
	not id in _excluded
	id in input.available
}

# What does not fit the content type is not missed there.
_required contains id if {
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
