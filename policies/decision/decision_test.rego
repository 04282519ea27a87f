package llama_mapper.decision_test

import data.llama_mapper.decision

_data := {
	"thresholds": {"confidence": 0.5, "coverage": 0.8},
	"labels": [
		{"label": "PII", "min_severity": 2, "action": "redact", "code": "pii", "obligations": ["mask_spans"]},
		{"label": "PII.Name", "min_severity": 1, "action": "flag", "code": "pii.name", "obligations": []},
		{"label": "PII.Name.Deep", "min_severity": 4, "action": "block", "code": "deep", "obligations": []},
		{"label": "SECRET", "min_severity": 2, "action": "block", "code": "secret", "obligations": ["rotate", "mask_spans"]},
		{"label": "JAILBREAK", "min_severity": 1, "action": "block", "min_detectors": 2, "otherwise": "flag", "code": "jailbreak", "obligations": []},
		{"label": "HARM", "min_severity": 2, "action": "human_review", "code": "harm", "obligations": []},
	],
}

_found(label, confidence, severity) := {"label": label, "confidence": confidence, "severity": severity}

_sure(label, severity) := _found(label, 0.9, severity)

_answer(findings) := _answer_at(findings, 1)

_answer_at(findings, score) := answer if {
	question := {"findings": findings, "coverage": {"score": score, "missing": []}}
	answer := decision.decision with input as question with data.decision as _data with data.retention as {}
}

_decided(action, reasons, obligations) := {"action": action, "reasons": reasons, "obligations": obligations}

_undecided := _decided("human_review", ["policy.undecided"], [])

_pii := _decided("redact", ["label.pii"], ["mask_spans"])

_allowed := _decided("allow", [], [])

test_nothing_found_is_allowed if _answer([]) == _allowed

test_no_input_is_undecided if {
	answer := decision.decision with data.decision as _data
	answer == _undecided
}

test_empty_input_is_undecided if {
	answer := decision.decision with input as {} with data.decision as _data
	answer == _undecided
}

test_missing_coverage_is_undecided if {
	answer := decision.decision with input as {"findings": []} with data.decision as _data
	answer == _undecided
}

test_coverage_of_wrong_type_is_undecided if _answer_at([], "1") == _undecided

test_findings_of_wrong_type_are_undecided if _answer({"PII": 4}) == _undecided

test_missing_data_does_not_allow_a_low_coverage if {
	question := {"findings": [], "coverage": {"score": 0}}
	answer := decision.decision with input as question with data.decision as {"labels": []}
	answer.action != "block"
	answer != _decided("flag", [], [])
}

test_pillar_action_holds_for_a_label_below if _answer([_sure("PII.Contact.Email", 2)]) == _pii

test_pillar_action_holds_for_the_pillar if _answer([_sure("PII", 2)]) == _pii

test_a_pillar_that_only_begins_alike_is_another if _answer([_sure("PIIX.Contact", 1)]) == _allowed

test_below_the_severity_there_is_no_action if _answer([_sure("PII.Contact.Email", 1)]) == _allowed

test_most_specific_entry_wins_though_it_is_milder if {
	_answer([_sure("PII.Name", 3)]) == _decided("flag", ["label.pii.name"], [])
}

test_most_specific_entry_wins_though_it_asks_for_more_severity if _answer([_sure("PII.Name.Deep", 3)]) == _allowed

test_most_specific_entry_wins_at_its_severity if {
	_answer([_sure("PII.Name.Deep", 4)]) == _decided("block", ["label.deep"], [])
}

test_entry_of_a_sibling_does_not_count if _answer([_sure("PII.Names", 2)]) == _pii

test_strictest_action_wins_and_all_reasons_are_given if {
	answer := _answer([_sure("PII.Name", 3), _sure("SECRET.Key", 3), _sure("PII.Contact", 2)])
	answer == _decided("block", ["label.pii", "label.pii.name", "label.secret"], ["mask_spans", "rotate"])
}

test_human_review_is_stricter_than_redact if {
	answer := _answer([_sure("PII.Contact", 2), _sure("HARM.Speech", 2)])
	answer == _decided("human_review", ["label.harm", "label.pii"], ["mask_spans"])
}

test_block_is_stricter_than_human_review if {
	answer := _answer([_sure("HARM.Speech", 2), _sure("SECRET.Key", 2)])
	answer == _decided("block", ["label.harm", "label.secret"], ["mask_spans", "rotate"])
}

test_confidence_at_the_threshold_is_sure if _answer([_found("PII.Contact", 0.5, 2)]) == _pii

test_confidence_below_the_threshold_is_flagged if {
	_answer([_found("PII.Contact", 0.49, 2)]) == _decided("flag", ["confidence.low"], [])
}

test_low_confidence_and_low_severity_is_allowed if _answer([_found("PII.Contact", 0.49, 1)]) == _allowed

test_unknown_label_goes_to_a_person if {
	_answer([_found("OTHER.Unknown", 0, 1)]) == _decided("human_review", ["label.unknown"], ["review_label"])
}

test_other_labels_of_the_pillar_do_not if _answer([_found("OTHER.Entity", 0, 0)]) == _allowed

test_low_coverage_goes_to_a_person if _answer_at([], 0.79) == _decided("human_review", ["coverage.low"], [])

test_coverage_at_the_threshold_is_enough if _answer_at([], 0.8) == _allowed

test_low_coverage_does_not_soften_a_block if {
	answer := _answer_at([_sure("SECRET", 2)], 0)
	answer == _decided("block", ["coverage.low", "label.secret"], ["mask_spans", "rotate"])
}

_asked(findings, own) := answer if {
	question := {"findings": findings, "coverage": {"score": 0.85}, "tenant": {"own": own}}
	answer := decision.decision with input as question with data.decision as _data with data.retention as {}
}

test_tenant_may_ask_for_more_coverage if {
	_asked([], {"thresholds": {"coverage": 0.9}}) == _decided("human_review", ["coverage.low"], [])
}

test_tenant_may_not_ask_for_less_coverage if {
	question := {"findings": [], "coverage": {"score": 0.79}, "tenant": {"own": {"thresholds": {"coverage": 0.1}}}}
	answer := decision.decision with input as question with data.decision as _data
	answer.action == "human_review"
}

test_tenant_may_heed_what_is_less_sure_and_still_hears_that_it_is if {
	answer := _asked([_found("PII.Contact", 0.4, 2)], {"thresholds": {"confidence": 0.3}})
	answer == _decided("redact", ["confidence.low", "label.pii"], ["mask_spans"])
}

test_tenant_that_heeds_what_is_less_sure_does_not_make_it_pass if {
	answer := _asked([_found("PII.Name.Deep", 0.4, 3)], {"thresholds": {"confidence": 0.3}})
	answer == _decided("flag", ["confidence.low"], [])
}

test_tenant_may_not_heed_only_what_is_surer if {
	answer := _asked([_found("PII.Contact", 0.6, 2)], {"thresholds": {"confidence": 0.7}})
	answer == _pii
}

_own_label(label, action) := {"labels": [{"label": label, "min_severity": 0, "action": action, "obligations": ["tell"]}]}

test_tenants_own_label_is_stricter if {
	answer := _asked([_sure("PII.Contact.Email", 1)], _own_label("PII.Contact", "block"))
	answer == _decided("block", ["tenant.pii.contact"], ["tell"])
}

test_tenants_own_label_is_not_milder_though_it_is_more_specific if {
	answer := _asked([_sure("SECRET.Key", 3)], _own_label("SECRET.Key", "allow"))
	answer == _decided("block", ["label.secret", "tenant.secret.key"], ["mask_spans", "rotate", "tell"])
}

test_tenants_own_label_leaves_others_alone if {
	_asked([_sure("PII.Contact", 2)], _own_label("HARM", "block")) == _pii
}

test_tenant_that_says_one_thing_twice_is_taken_at_the_stricter if {
	twice := array.concat(_own_label("PII", "flag").labels, _own_label("PII", "block").labels)
	answer := _asked([_sure("PII", 1)], {"labels": twice})
	answer == _decided("block", ["tenant.pii"], ["tell"])
}

test_tenants_own_action_that_is_misspelled_does_not_allow if {
	answer := _asked([], _own_label("PII", "blok"))
	answer == _decided("human_review", ["policy.unknown_action"], [])
}

_restricted := {"order": ["public", "secret"], "default": "public", "rules": {"secret": {
	"coverage": 0.95,
	"retention_days": 5,
	"labels": [{"label": "PII", "min_severity": 0, "action": "block", "code": "class", "obligations": []}],
}}}

_classified(class) := answer if {
	question := {"findings": [_sure("PII", 1)], "coverage": {"score": 0.9}, "data_class": class}
	retained := {"least_days": 1, "most_days": 90}
	answer := decision.decision with input as question with data.decision as _data with data.data_classes as _restricted with data.retention as retained
}

test_class_of_the_data_has_its_own_labels_coverage_and_retention if {
	_classified("secret") == object.union(_decided("block", ["coverage.low", "label.class"], []), {"retention_days": 5})
}

test_class_that_nobody_knows_is_the_strictest if _classified("sekret") == _classified("secret")

test_milder_class_is_not_concerned if {
	_classified("public") == object.union(_allowed, {"retention_days": 90})
}

test_a_review_names_its_queue_and_nothing_else_does if {
	queued := object.union(_data, {"review_queue": "general"})
	review := decision.decision with input as {"findings": [], "coverage": {"score": 0}} with data.decision as queued
	review.review_queue == "general"
	fine := decision.decision with input as {"findings": [], "coverage": {"score": 1}} with data.decision as queued
	not fine.review_queue
}

test_the_tenant_names_its_own_queue if {
	answer := _asked([_found("OTHER.Unknown", 0, 1)], {"review_queue": "legal"})
	answer.review_queue == "legal"
}

test_plug_ins_add_rules if {
	rules := {{"action": "block", "reason": "night", "obligations": ["wait"]}}
	question := {"findings": [_sure("PII.Contact", 2)], "coverage": {"score": 1}}
	answer := decision.decision with input as question with data.decision as _data with data.retention as {} with data.llama_mapper.plugin as {"hours": {"rules": rules}}
	answer == _decided("block", ["label.pii", "plugin.hours.night"], ["mask_spans", "wait"])
}

test_plug_in_with_an_action_that_is_none_changes_nothing if {
	rules := {{"action": "ignore", "reason": "night", "obligations": []}}
	question := {"findings": [_sure("PII.Contact", 2)], "coverage": {"score": 1}}
	answer := decision.decision with input as question with data.decision as _data with data.retention as {} with data.llama_mapper.plugin as {"hours": {"rules": rules}}
	answer == _pii
}

test_misspelled_action_does_not_allow if {
	typo := {"label": "PII", "min_severity": 2, "action": "blok", "code": "pii", "obligations": []}
	question := {"findings": [_sure("PII", 4)], "coverage": {"score": 1}}
	data_with_typo := object.union(_data, {"labels": [typo]})
	answer := decision.decision with input as question with data.decision as data_with_typo with data.retention as {}
	answer == _decided("human_review", ["label.pii", "policy.unknown_action"], [])
}

test_two_detectors_that_agree_are_enough if {
	finding := object.union(_sure("JAILBREAK", 3), {"detectors": 2})
	_answer([finding]) == _decided("block", ["label.jailbreak"], [])
}

test_one_detector_alone_leads_to_the_milder_action if {
	finding := object.union(_sure("JAILBREAK", 3), {"detectors": 1})
	_answer([finding]) == _decided("flag", ["label.jailbreak"], [])
}

test_a_finding_that_counts_no_detectors_has_one if {
	_answer([_sure("JAILBREAK", 3)]) == _decided("flag", ["label.jailbreak"], [])
}

test_without_a_milder_action_one_detector_alone_is_enough if {
	strict := {"label": "JAILBREAK", "min_severity": 1, "action": "block", "min_detectors": 2, "code": "j", "obligations": []}
	question := {"findings": [_sure("JAILBREAK", 3)], "coverage": {"score": 1}}
	answer := decision.decision with input as question with data.decision as object.union(_data, {"labels": [strict]}) with data.retention as {}
	answer == _decided("block", ["label.j"], [])
}

test_misspelled_milder_action_does_not_allow if {
	typo := {"label": "IP", "min_severity": 1, "action": "block", "min_detectors": 2, "otherwise": "flagg", "code": "ip", "obligations": []}
	question := {"findings": [_sure("IP", 3)], "coverage": {"score": 1}}
	answer := decision.decision with input as question with data.decision as object.union(_data, {"labels": [typo]}) with data.retention as {}
	answer == _decided("human_review", ["label.ip", "policy.unknown_action"], [])
}
