package llama_mapper.selection_test

import data.llama_mapper.selection

_data := {
	"coverage_method": "WEIGHTED",
	"weights": {"a": 2},
	"pillars": {"a": ["PII"]},
	"profiles": {
		"standard": {"detectors": ["b", "a", "words"], "required": ["a", "words"]},
		"fast": {"detectors": ["a"], "required": ["a"]},
	},
	"content_types": {"code": {"add": ["secrets"], "drop": ["words"]}},
}

_question := {
	"processing_mode": "standard",
	"content_type": "text",
	"excluded": [],
	"required": [],
	"available": ["a", "b", "secrets", "words"],
}

_answer(changes) := answer if {
	question := object.union(_question, changes)
	answer := selection.selection with input as question with data.selection as _data
}

_chosen(detectors, required) := {
	"detectors": detectors,
	"required": required,
	"coverage_method": "WEIGHTED",
	"weights": {"a": 2},
	"pillars": {"a": ["PII"]},
}

_nothing := {"detectors": [], "required": [], "coverage_method": "REQUIRED_SET"}

test_profile_is_chosen_in_order_of_name if _answer({}) == _chosen(["a", "b", "words"], ["a", "words"])

test_mode_has_its_own_profile if _answer({"processing_mode": "fast"}) == _chosen(["a"], ["a"])

test_unknown_mode_chooses_nothing if _answer({"processing_mode": "fastest"}) == _nothing

test_no_input_chooses_nothing if {
	answer := selection.selection with data.selection as _data
	answer == _nothing
}

test_empty_input_chooses_nothing if {
	answer := selection.selection with input as {} with data.selection as _data
	answer == _nothing
}

test_content_type_adds_and_drops_and_does_not_miss_what_it_drops if {
	_answer({"content_type": "code"}) == _chosen(["a", "b", "secrets"], ["a"])
}

test_caller_may_require_what_the_content_type_drops if {
	_answer({"content_type": "code", "required": ["words"]}) == _chosen(["a", "b", "secrets"], ["a", "words"])
}

test_excluded_detector_neither_runs_nor_is_missed if {
	_answer({"excluded": ["words"]}) == _chosen(["a", "b"], ["a"])
}

test_excluded_wins_over_required_by_the_caller if {
	_answer({"excluded": ["secrets"], "required": ["secrets"]}) == _chosen(["a", "b", "words"], ["a", "words"])
}

test_required_but_unavailable_stays_required if {
	_answer({"available": ["b"]}) == _chosen(["b"], ["a", "words"])
}

test_required_by_the_caller_but_unavailable_is_required if {
	_answer({"required": ["elsewhere"]}) == _chosen(["a", "b", "words"], ["a", "elsewhere", "words"])
}

test_nothing_available_chooses_nothing if _answer({"available": []}) == _nothing

test_everything_excluded_chooses_nothing if _answer({"excluded": ["a", "b", "words"]}) == _nothing

test_a_detector_whose_name_only_begins_alike_is_not_excluded if {
	_answer({"excluded": ["word"]}) == _chosen(["a", "b", "words"], ["a", "words"])
}

test_profile_is_required_even_where_the_input_does_not_say_what_the_caller_requires if {
	question := object.remove(_question, ["required", "excluded"])
	answer := selection.selection with input as question with data.selection as _data
	answer == _chosen(["a", "b", "words"], ["a", "words"])
}

test_named_detectors_take_the_profiles_place if _answer({"named": ["b"]}) == _chosen(["b"], ["b"])

test_no_named_detector_is_none_named if _answer({"named": []}) == _chosen(["a", "b", "words"], ["a", "words"])

test_named_and_excluded_is_excluded if _answer({"named": ["a", "b"], "excluded": ["a"]}) == _chosen(["b"], ["b"])

test_tenant_adds_detectors_and_requires_some if {
	own := {"extra_detectors": ["secrets"], "required_detectors": ["b"]}
	_answer({"tenant": {"own": own}}) == _chosen(["a", "b", "secrets", "words"], ["a", "b", "words"])
}

test_what_the_tenant_requires_nobody_leaves_out if {
	own := {"required_detectors": ["b"]}
	_answer({"tenant": {"own": own}, "excluded": ["b"]}) == _chosen(["a", "b", "words"], ["a", "b", "words"])
	_answer({"tenant": {"own": own}, "named": ["a"]}) == _chosen(["a", "b"], ["a", "b"])
}

test_what_the_tenant_adds_a_caller_may_leave_out if {
	own := {"extra_detectors": ["secrets"]}
	_answer({"tenant": {"own": own}, "excluded": ["secrets"]}) == _chosen(["a", "b", "words"], ["a", "words"])
}

_classes := {"order": ["public", "secret"], "default": "public", "rules": {"secret": {
	"add": ["b"], "require": ["secrets"], "coverage_method": "TAXONOMY",
}}}

_classified(changes) := answer if {
	question := object.union(_question, changes)
	answer := selection.selection with input as question with data.selection as _data with data.data_classes as _classes
}

test_class_adds_requires_and_counts_in_its_own_way if {
	expected := object.union(_chosen(["a", "b", "secrets"], ["a", "secrets"]), {"coverage_method": "TAXONOMY"})
	_classified({"processing_mode": "fast", "data_class": "secret"}) == expected
	_classified({"processing_mode": "fast", "data_class": "secret", "excluded": ["secrets"]}) == expected
}

test_class_that_is_not_said_is_the_platforms_default if {
	_classified({"processing_mode": "fast"}) == _chosen(["a"], ["a"])
}

test_route_adds if {
	answer := selection.selection with input as object.union(_question, {"processing_mode": "fast", "route": "chat"})
		with data.selection as _data
		with data.routes as {"chat": {"add": ["b"]}}
	answer == _chosen(["a", "b"], ["a"])
}

test_entry_of_the_tenant_counts_in_its_own_way if {
	answer := selection.selection with input as object.union(_question, {"tenant_id": "demo"})
		with data.selection as _data
		with data.tenants as {"demo": {"coverage_method": "TAXONOMY"}}
	answer == object.union(_chosen(["a", "b", "words"], ["a", "words"]), {"coverage_method": "TAXONOMY"})
}
