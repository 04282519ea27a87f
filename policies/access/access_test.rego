package llama_mapper.access_test

import data.llama_mapper.access

_rules := {
	"administrative": ["keys:write", "tenants:write"],
	"open": ["orchestrate:use"],
	"step_up": {"amr": ["otp", "hwk"], "acr": ["urn:mfa"], "max_age_seconds": 900},
}

_tenants := {"demo": {"key_required": false}, "closed": {"key_required": true}}

_open := {"kind": "open", "tenants": [], "scopes": [], "amr": [], "acr": null, "age_seconds": null}

_key := {"kind": "key", "tenants": ["demo"], "scopes": ["orchestrate:use", "keys:write"], "amr": [], "acr": null, "age_seconds": null}

_answer(principal, action, tenant) := answer if {
	question := {"principal": principal, "action": action, "tenant_id": tenant}
	answer := access.access with input as question with data.access as _rules with data.tenants as _tenants
}

_yes := {"allow": true, "reasons": []}

_no(reasons) := {"allow": false, "reasons": reasons}

test_a_scope_that_is_held_is_enough if _answer(_key, "orchestrate:use", "demo") == _yes

test_a_scope_that_is_not_held_is_missing if _answer(_key, "jobs:use", "demo") == _no(["scope.missing"])

test_another_tenant_is_refused_whatever_the_scope if _answer(_key, "orchestrate:use", "closed") == _no(["tenant.other"])

test_nobody_may_use_a_tenant_that_needs_no_key if _answer(_open, "orchestrate:use", "demo") == _yes

test_nobody_may_not_use_one_that_needs_a_key if {
	_answer(_open, "orchestrate:use", "closed") == _no(["tenant.needs_key"])
}

test_nobody_may_not_use_a_tenant_that_is_not_there if {
	_answer(_open, "orchestrate:use", "nowhere") == _no(["tenant.needs_key", "tenant.unknown"])
}

test_nobody_never_administers if _answer(_open, "keys:write", "demo") == _no(["credential.missing", "mfa.needed"])

test_administering_needs_a_second_factor if _answer(_key, "keys:write", "demo") == _no(["mfa.needed"])

test_a_one_time_code_is_one if {
	stepped_up := object.union(_key, {"amr": ["pwd", "otp"], "age_seconds": 10})
	_answer(stepped_up, "keys:write", "demo") == _yes
}

test_a_class_is_one if {
	stepped_up := object.union(_key, {"acr": "urn:mfa", "age_seconds": 900})
	_answer(stepped_up, "keys:write", "demo") == _yes
}

test_one_shown_long_ago_is_none if {
	stepped_up := object.union(_key, {"amr": ["otp"], "age_seconds": 901})
	_answer(stepped_up, "keys:write", "demo") == _no(["mfa.needed"])
}

test_one_from_the_future_is_none if {
	stepped_up := object.union(_key, {"amr": ["otp"], "age_seconds": -1})
	_answer(stepped_up, "keys:write", "demo") == _no(["mfa.needed"])
}

test_one_without_a_time_is_none if {
	stepped_up := object.union(_key, {"amr": ["otp"]})
	_answer(stepped_up, "keys:write", "demo") == _no(["mfa.needed"])
}

test_a_weak_method_is_none if {
	stepped_up := object.union(_key, {"amr": ["pwd"], "age_seconds": 1})
	_answer(stepped_up, "keys:write", "demo") == _no(["mfa.needed"])
}

test_an_unknown_kind_holds_nothing if {
	_answer(object.union(_key, {"kind": "cookie"}), "orchestrate:use", "demo") == _no(["scope.missing"])
}

test_no_principal_is_nobody_at_all if {
	answer := access.access with input as {"action": "orchestrate:use", "tenant_id": "demo"}
		with data.access as _rules
		with data.tenants as _tenants
	answer == _no(["scope.missing", "tenant.other"])
}

test_no_action_is_undecided if {
	answer := access.access with input as {} with data.access as _rules with data.tenants as _tenants
	answer == _no(["access.undecided"])
}

test_without_rules_everything_administers_and_nobody_enters if {
	answer := access.access with input as {"principal": _open, "action": "orchestrate:use", "tenant_id": "demo"}
		with data.access as {}
		with data.tenants as _tenants
	answer == _no(["credential.missing", "mfa.needed"])
}

_platform := object.union(_key, {"tenants": ["*"], "scopes": ["tenants:write", "orchestrate:use"], "amr": ["otp"], "age_seconds": 10})

_answer_platform(action, rules) := answer if {
	question := {"principal": _platform, "action": action, "tenant_id": "closed"}
	answer := access.access with input as question with data.access as object.union(_rules, rules) with data.tenants as _tenants
}

test_the_platform_administers_every_tenant if {
	_answer_platform("tenants:write", {"platform": ["tenants:write"]}) == _yes
}

test_the_platform_does_not_work_in_a_tenants_name if {
	_answer_platform("orchestrate:use", {"platform": ["tenants:write"]}) == _no(["tenant.other"])
}

test_the_platform_is_nobody_where_no_list_says_what_it_may if {
	_answer_platform("tenants:write", {}) == _no(["tenant.other"])
}

test_a_tenant_that_was_made_is_there if {
	question := {"principal": _open, "action": "orchestrate:use", "tenant_id": "made", "tenant": {"platform": {}}}
	answer := access.access with input as question with data.access as _rules with data.tenant_defaults as {"key_required": true}
	answer == _no(["tenant.needs_key"])
}
