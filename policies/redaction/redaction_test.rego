package llama_mapper.redaction_test

import data.llama_mapper.redaction

_data := {
	"labels": ["PII", "SECRET"],
	"min_confidence": 0.5,
	"operators": ["mask", "hash"],
	"tenants": {
		"more": {"operators": ["mask", "token"], "unasked": "token"},
		"none": {"operators": []},
		"odd": {"operators": "mask", "unasked": "shred"},
		"only-unasked": {"unasked": "mask"},
		"not-an-entry": true,
	},
}

_answer(question) := answer if {
	answer := redaction.redaction with input as question with data.redaction as _data
}

_asking(tenant, operator) := {"tenant_id": tenant, "asked": operator, "obligations": []}

_obliged(tenant) := {"tenant_id": tenant, "asked": null, "obligations": ["mask_spans"]}

_by(operator) := {
	"allow": true,
	"operator": operator,
	"reasons": [],
	"labels": ["PII", "SECRET"],
	"min_confidence": 0.5,
}

_refused := object.union(_by(null), {"allow": false, "reasons": ["redaction.operator"]})

_undecided := {
	"allow": false,
	"operator": null,
	"reasons": ["redaction.undecided"],
	"labels": [],
	"min_confidence": 0,
}

test_everybodys_operator_is_taken if _answer(_asking("demo", "mask")) == _by("mask")

test_operator_that_nobody_may_use_is_refused if _answer(_asking("demo", "token")) == _refused

test_operator_of_the_tenants_own_list_is_taken if _answer(_asking("more", "token")) == _by("token")

test_own_list_replaces_everybodys if _answer(_asking("more", "hash")) == _refused

test_empty_list_refuses_every_operator if _answer(_asking("none", "mask")) == _refused

test_list_that_is_none_refuses if _answer(_asking("odd", "mask")) == _refused

test_entry_that_is_none_changes_nothing if _answer(_asking("not-an-entry", "hash")) == _by("hash")

test_operator_in_other_case_is_refused if _answer(_asking("demo", "MASK")) == _refused

test_nothing_is_redacted_where_nobody_asks if {
	_answer({"tenant_id": "demo", "asked": null, "obligations": []}) == _by(null)
}

test_obligation_alone_redacts_nothing if _answer(_obliged("demo")) == _by(null)

test_obligation_redacts_where_the_tenant_says_how if _answer(_obliged("more")) == _by("token")

test_own_list_need_not_be_there if _answer(_obliged("only-unasked")) == _by("mask")

test_operator_that_is_none_is_not_used_unasked if _answer(_obliged("odd")) == _by(null)

test_other_obligation_redacts_nothing if {
	_answer({"tenant_id": "more", "asked": null, "obligations": ["rotate_secret"]}) == _by(null)
}

test_what_was_asked_goes_before_the_tenants_own if {
	_answer({"tenant_id": "more", "asked": "mask", "obligations": ["mask_spans"]}) == _by("mask")
}

test_refused_is_refused_though_there_is_an_obligation if {
	_answer({"tenant_id": "more", "asked": "hash", "obligations": ["mask_spans"]}) == _refused
}

test_obligations_of_another_type_are_none if {
	_answer({"tenant_id": "more", "asked": null, "obligations": "mask_spans"}) == _by(null)
}

test_empty_input_is_undecided if _answer({}) == _undecided

test_no_input_at_all_is_undecided if {
	answer := redaction.redaction with data.redaction as _data
	answer == _undecided
}

test_tenant_of_another_type_is_undecided if _answer(_asking(["demo"], "mask")) == _undecided

test_no_data_is_undecided if {
	answer := redaction.redaction with input as _asking("demo", "mask") with data.redaction as {}
	answer == _undecided
}

test_without_a_confidence_everything_is_replaced if {
	bare := object.remove(_data, ["min_confidence"])
	answer := redaction.redaction with input as _asking("demo", "mask") with data.redaction as bare
	answer == object.union(_by("mask"), {"min_confidence": 0})
}

_own(changes) := object.union(_asking("demo", "mask"), {"tenant": {"own": changes}})

test_tenant_may_take_an_operator_out if _answer(_own({"redaction_operators": ["hash"]})) == _refused

test_tenant_may_keep_an_operator if _answer(_own({"redaction_operators": ["mask"]})) == _by("mask")

test_tenant_may_not_add_one if {
	question := object.union(_own({"redaction_operators": ["token"]}), {"asked": "token"})
	_answer(question) == _refused
}
