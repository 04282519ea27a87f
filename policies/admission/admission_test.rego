package llama_mapper.admission_test

import data.llama_mapper.admission

_tenants := {
	"open": {"enabled": true, "key_required": false, "max_content_characters": 100},
	"keyed": {"enabled": true, "key_required": true, "max_content_characters": 100},
	"closed": {"enabled": false, "key_required": false, "max_content_characters": 100},
	"bare": {},
}

_answer(question) := answer if {
	answer := admission.admission with input as question with data.tenants as _tenants
}

_from(tenant) := {"tenant_id": tenant, "authenticated": false, "content_characters": 100}

_unknown := {"allow": false, "reasons": ["tenant.unknown"], "priority": "low"}

_yes := {"allow": true, "reasons": [], "priority": "normal"}

_no(reasons) := {"allow": false, "reasons": reasons, "priority": "normal"}

test_open_tenant_is_admitted if _answer(_from("open")) == _yes

test_unknown_tenant_is_denied if _answer(_from("opened")) == _unknown

test_tenant_name_in_other_case_is_denied if _answer(_from("OPEN")) == _unknown

test_empty_input_is_denied if _answer({}) == _unknown

test_tenant_of_wrong_type_is_denied if _answer(_from(["open"])) == _unknown

test_no_input_at_all_is_denied if {
	answer := admission.admission with data.tenants as _tenants
	answer == _unknown
}

test_no_tenants_at_all_is_denied if {
	answer := admission.admission with input as _from("open") with data.tenants as {}
	answer == _unknown
}

test_keyed_tenant_without_key_is_denied if {
	_answer(_from("keyed")) == _no(["tenant.needs_key"])
}

test_keyed_tenant_with_key_is_admitted if {
	_answer(object.union(_from("keyed"), {"authenticated": true})) == _yes
}

test_disabled_tenant_is_denied if _answer(_from("closed")) == _no(["tenant.disabled"])

test_one_character_too_many_is_denied if {
	question := object.union(_from("open"), {"content_characters": 101})
	_answer(question) == _no(["content.too_large"])
}

test_content_of_unknown_size_is_denied if {
	_answer({"tenant_id": "open"}) == _no(["content.too_large"])
}

test_tenant_with_an_incomplete_entry_is_denied_for_all_that_is_unproven if {
	reasons := ["content.too_large", "tenant.disabled", "tenant.needs_key"]
	_answer(_from("bare")) == _no(reasons)
}

test_all_reasons_are_given_in_order if {
	tenants := {"worst": {"enabled": false, "key_required": true, "max_content_characters": 1}}
	answer := admission.admission with input as _from("worst") with data.tenants as tenants
	answer == _no(["content.too_large", "tenant.disabled", "tenant.needs_key"])
}

_asking(priority) := object.union(_from("open"), {"priority": priority})

_capped(most, priority) := answer.priority if {
	tenants := {"open": object.union(_tenants.open, {"max_priority": most})}
	answer := admission.admission with input as _asking(priority) with data.tenants as tenants
	answer.allow
}

test_priority_that_a_tenant_may_use_is_kept if _capped("high", "high") == "high"

test_priority_above_is_capped if _capped("high", "critical") == "high"

test_priority_below_is_kept if _capped("high", "low") == "low"

test_priority_that_does_not_exist_is_the_ordinary_one if _capped("critical", "urgent") == "normal"

test_limit_that_does_not_exist_limits_nothing if _capped("urgent", "critical") == "critical"

test_priority_above_is_refused_where_the_platform_says_so if {
	rules := {"most": "normal", "excess": "refuse"}
	answer := admission.admission with input as _asking("high") with data.tenants as _tenants with data.priorities as rules
	answer == _no(["priority.too_high"])
}

_made(platform, own) := {"tenant_id": "made", "authenticated": true, "content_characters": 100, "tenant": {"platform": platform, "own": own}}

_defaults := {"enabled": true, "key_required": true, "max_content_characters": 100}

_answer_made(platform, own) := answer if {
	answer := admission.admission with input as _made(platform, own) with data.tenants as {} with data.tenant_defaults as _defaults
}

test_tenant_that_was_made_is_admitted if _answer_made({}, {}) == _yes

test_tenant_that_only_says_so_itself_is_unknown if _answer_made(null, {"enabled": true}) == _unknown

test_tenant_that_was_made_needs_a_key_whatever_it_says if {
	question := object.union(_made({"key_required": false}, {"key_required": false}), {"authenticated": false})
	answer := admission.admission with input as question with data.tenants as {} with data.tenant_defaults as _defaults
	answer == _no(["tenant.needs_key"])
}

test_tenant_that_the_platform_closed_cannot_open_itself if {
	_answer_made({"enabled": false}, {"enabled": true}) == _no(["tenant.disabled"])
}

test_tenant_may_close_itself if _answer_made({}, {"enabled": false}) == _no(["tenant.disabled"])

test_tenant_may_take_less_content if {
	_answer_made({}, {"max_content_characters": 99}) == _no(["content.too_large"])
}

test_tenant_may_not_take_more if {
	question := object.union(_made({}, {"max_content_characters": 1000}), {"content_characters": 101})
	answer := admission.admission with input as question with data.tenants as {} with data.tenant_defaults as _defaults
	answer == _no(["content.too_large"])
}
