package llama_mapper.tenancy_test

import data.llama_mapper.tenancy

_decision := {
	"thresholds": {"confidence": 0.5, "coverage": 0.8},
	"review_queue": "general",
	"labels": [
		{"label": "PII", "min_severity": 2, "action": "redact", "code": "pii", "obligations": []},
		{"label": "JAILBREAK", "min_severity": 1, "action": "block", "min_detectors": 2, "otherwise": "flag", "code": "j", "obligations": []},
	],
}

_tenants := {"demo": {"enabled": true, "key_required": false, "max_content_characters": 100}}

_defaults := {"enabled": true, "key_required": true, "max_content_characters": 50}

_answer(question) := answer if {
	answer := tenancy.tenancy with input as question
		with data.tenants as _tenants
		with data.tenant_defaults as _defaults
		with data.decision as _decision
		with data.priorities as {"most": "high"}
		with data.redaction as {"operators": ["mask", "hash"]}
		with data.retention as {"least_days": 10, "most_days": 90}
		with data.data_classes as {}
		with data.routes as {}
}

_rules(layers) := _answer({"tenant_id": "demo", "tenant": layers}).rules

_platforms := {
	"enabled": true,
	"key_required": false,
	"max_content_characters": 100,
	"max_priority": "high",
	"confidence": 0.5,
	"coverage": 0.8,
	"extra_detectors": [],
	"required_detectors": [],
	"redaction_operators": ["hash", "mask"],
	"review_queue": "general",
}

_unknown := {"known": false, "rules": {}, "ignored": []}

test_without_a_configuration_the_platforms_rules_hold if {
	_answer({"tenant_id": "demo"}) == {"known": true, "rules": _platforms, "ignored": []}
}

test_tenant_that_nobody_made_is_unknown if _answer({"tenant_id": "acme"}) == _unknown

test_tenant_that_configured_itself_is_unknown if {
	_answer({"tenant_id": "acme", "tenant": {"own": {"enabled": true}}}) == _unknown
}

test_no_input_is_unknown if _answer({}) == _unknown

test_tenant_that_was_made_has_the_platforms_defaults if {
	answer := _answer({"tenant_id": "acme", "tenant": {"platform": {}}})
	answer.rules == object.union(_platforms, {"key_required": true, "max_content_characters": 50})
}

test_everything_may_be_stricter if {
	rules := _rules({"own": {
		"enabled": false,
		"key_required": true,
		"max_content_characters": 9,
		"max_priority": "low",
		"requests_per_minute": 3,
		"requests_per_day": 4,
		"thresholds": {"confidence": 0.1, "coverage": 0.9},
		"extra_detectors": ["b", "a"],
		"required_detectors": ["c"],
		"redaction_operators": ["mask"],
		"callback_hosts": ["a.example"],
		"retention_days": 20,
		"review_queue": "legal",
	}})
	rules == {
		"enabled": false,
		"key_required": true,
		"max_content_characters": 9,
		"max_priority": "low",
		"requests_per_minute": 3,
		"requests_per_day": 4,
		"confidence": 0.1,
		"coverage": 0.9,
		"extra_detectors": ["a", "b"],
		"required_detectors": ["c"],
		"redaction_operators": ["mask"],
		"callback_hosts": ["a.example"],
		"retention_days": 20,
		"review_queue": "legal",
	}
}

_loose := {
	"enabled": true,
	"key_required": false,
	"max_content_characters": 1000,
	"max_priority": "critical",
	"thresholds": {"confidence": 0.9, "coverage": 0.1},
	"redaction_operators": ["hash", "mask", "token"],
}

test_nothing_may_be_looser if _rules({"own": _loose}) == _platforms

test_what_two_say_holds_as_far_as_both_go if {
	rules := _rules({
		"platform": {"requests_per_day": 10, "callback_hosts": ["a.example", "b.example"], "extra_detectors": ["x"]},
		"own": {"requests_per_day": 20, "callback_hosts": ["b.example", "c.example"], "extra_detectors": ["y"]},
	})
	rules == object.union(_platforms, {"requests_per_day": 10, "callback_hosts": ["b.example"], "extra_detectors": ["x", "y"]})
}

_ignored(platform, proposed) := _answer({
	"tenant_id": "demo", "tenant": {"platform": platform}, "proposed": proposed,
}).ignored

test_what_would_loosen_is_named if {
	_ignored({"enabled": false, "key_required": true}, object.union(_loose, {"retention_days": 91})) == [
		"enabled", "key_required", "max_content_characters", "max_priority",
		"redaction_operators", "retention_days", "thresholds.confidence", "thresholds.coverage",
	]
}

test_what_is_as_strict_is_not_named if {
	proposed := {
		"enabled": true, "key_required": false, "max_content_characters": 100, "max_priority": "high",
		"thresholds": {"confidence": 0.5, "coverage": 0.8}, "redaction_operators": ["mask"], "retention_days": 90,
		"callback_hosts": ["a.example"], "requests_per_day": 5,
	}
	_ignored({}, proposed) == []
}

test_less_than_the_law_asks_is_named if _ignored({}, {"retention_days": 9}) == ["retention_days"]

test_more_than_the_platform_gave_is_named if {
	given := {"requests_per_day": 5, "requests_per_minute": 5, "callback_hosts": ["a.example"], "retention_days": 30}
	proposed := {"requests_per_day": 6, "requests_per_minute": 6, "callback_hosts": ["b.example"], "retention_days": 31}
	_ignored(given, proposed) == ["callback_hosts", "requests_per_day", "requests_per_minute", "retention_days"]
}

_label(label, min_severity, action) := {"labels": [{"label": label, "min_severity": min_severity, "action": action}]}

test_milder_action_is_named if _ignored({}, _label("PII.Contact", 2, "flag")) == ["labels.0"]

test_same_action_from_a_higher_severity_is_named if _ignored({}, _label("PII", 3, "redact")) == ["labels.0"]

test_milder_action_from_a_lower_severity_adds_something if _ignored({}, _label("PII", 1, "flag")) == []

test_same_entry_is_not_named if _ignored({}, _label("PII", 2, "redact")) == []

test_stricter_action_is_not_named if _ignored({}, _label("PII", 4, "block")) == []

test_label_of_nobodys_list_is_not_named if _ignored({}, _label("IP", 4, "flag")) == []

test_what_one_detector_alone_leads_to_is_the_measure if {
	_ignored({}, _label("JAILBREAK", 1, "human_review")) == []
	_ignored({}, _label("JAILBREAK", 1, "allow")) == ["labels.0"]
}

test_what_the_platform_made_stricter_is_the_measure if {
	_ignored(_label("PII", 2, "block"), _label("PII.Contact", 2, "human_review")) == ["labels.0"]
}

test_known_route_and_class_come_with_their_rules if {
	contexts := tenancy.contexts with input as {"route": "chat", "data_class": "b", "content_type": "?", "processing_mode": "?"}
		with data.routes as {"chat": {"add": ["r"]}}
		with data.data_classes as {"order": ["a", "b", "c"], "default": "a", "rules": {"a": {"add": ["a"]}, "b": {"add": ["b"]}, "c": {"add": ["c"]}}}
	contexts == [{"add": ["b"]}, {"add": ["a"]}, {"add": ["r"]}]
}
