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
} if {
	count(_chosen) > 0
}

_profile := data.selection.profiles[input.processing_mode]

_for_type := object.get(data.selection.content_types, input.content_type, {"add": [], "drop": []})

_chosen := {id |
	some id in array.concat(_profile.detectors, _for_type.add)
	not id in _for_type.drop
	not id in input.excluded
	id in input.available
}

# What a caller requires is required even where it is not available: coverage must show the gap.
_required := {id |
	some id in array.concat(_profile.required, input.required)
	not id in input.excluded
}
