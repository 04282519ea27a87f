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

_unknown := {"allow": false, "reasons": ["tenant.unknown"]}

test_open_tenant_is_admitted if _answer(_from("open")) == {"allow": true, "reasons": []}

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
	_answer(_from("keyed")) == {"allow": false, "reasons": ["tenant.needs_key"]}
}

test_keyed_tenant_with_key_is_admitted if {
	_answer(object.union(_from("keyed"), {"authenticated": true})) == {"allow": true, "reasons": []}
}

test_disabled_tenant_is_denied if _answer(_from("closed")) == {"allow": false, "reasons": ["tenant.disabled"]}

test_one_character_too_many_is_denied if {
	question := object.union(_from("open"), {"content_characters": 101})
	_answer(question) == {"allow": false, "reasons": ["content.too_large"]}
}

test_content_of_unknown_size_is_denied if {
	_answer({"tenant_id": "open"}) == {"allow": false, "reasons": ["content.too_large"]}
}

test_tenant_with_an_incomplete_entry_is_denied_for_all_that_is_unproven if {
	reasons := ["content.too_large", "tenant.disabled", "tenant.needs_key"]
	_answer(_from("bare")) == {"allow": false, "reasons": reasons}
}

test_all_reasons_are_given_in_order if {
	tenants := {"worst": {"enabled": false, "key_required": true, "max_content_characters": 1}}
	answer := admission.admission with input as _from("worst") with data.tenants as tenants
	answer == {"allow": false, "reasons": ["content.too_large", "tenant.disabled", "tenant.needs_key"]}
}
