# METADATA
# description: What to do with a content, from its canonical findings and the coverage reached.
package llama_mapper.decision

import data.llama_mapper.retention
import data.llama_mapper.tenancy

# METADATA
# description: The decision; human_review where no rule says otherwise, so that a gap in the policy is seen.
# entrypoint: true
default decision := {"action": "human_review", "reasons": ["policy.undecided"], "obligations": []}

decision := object.union({"action": _action, "reasons": _reasons, "obligations": _obligations}, _more) if {
	is_array(input.findings)
	is_number(input.coverage.score)
}

_more := {name: value | some name in ["review_queue", "retention_days"]; value := _said(name)}

_said("review_queue") := data.llama_mapper.tenancy.review_queue if _action == "human_review"

_said("retention_days") := days if {
	days := data.llama_mapper.retention.retention.days
	is_number(days)
}

# METADATA
# description: Actions from the mildest to the strictest; the strictest that applies wins.
order := data.llama_mapper.tenancy.actions

_action := order[max([i | order[i] in _applying])]

_applying := {"allow"} | {rule.action | some rule in _matched}

# An action that is misspelled must not read as "allow".
_rules contains {"action": "human_review", "reason": "policy.unknown_action", "obligations": []} if {
	some list in data.llama_mapper.tenancy.label_lists
	some entry in list
	not _ordered(entry)
}

_ordered(entry) if {
	entry.action in order
	object.get(entry, "otherwise", "allow") in order
}

_reasons := sort({rule.reason | some rule in _matched})

_obligations := sort({obligation | some rule in _matched; some obligation in rule.obligations})

_matched := {rule | some rule in _rules}

_sure(finding) if finding.confidence >= data.llama_mapper.tenancy.confidence

# By the platform's measure: a tenant whose threshold is lower still hears of what the platform doubts.
_surely(finding) if finding.confidence >= data.decision.thresholds.confidence

# Of each list (the platform's, those of the circumstances, the tenant's own) the most specific entry above a label counts.
_rules contains {"action": action, "reason": _reason(entry), "obligations": _list(entry)} if {
	some finding in input.findings
	_sure(finding)
	some list in data.llama_mapper.tenancy.label_lists
	some entry in data.llama_mapper.tenancy.entries_of(list, finding.label)
	finding.severity >= entry.min_severity
	action := _action_of(entry, finding)
}

_reason(entry) := concat(".", ["label", entry.code])

_reason(entry) := concat(".", ["tenant", lower(entry.label)]) if not entry.code

_list(entry) := entry.obligations

_list(entry) := [] if not entry.obligations

# Where an entry asks for several detectors that agree, one alone leads to its milder action.
_action_of(entry, finding) := entry.action if _agreed(entry, finding)

_action_of(entry, finding) := object.get(entry, "otherwise", entry.action) if not _agreed(entry, finding)

_agreed(entry, finding) if object.get(finding, "detectors", 1) >= object.get(entry, "min_detectors", 1)

# Plug-ins add rules and take none away.
_rules contains {"action": rule.action, "reason": concat(".", ["plugin", name, rule.reason]), "obligations": rule.obligations} if {
	some name, plugin in data.llama_mapper.plugin
	some rule in plugin.rules
	rule.action in order
	is_string(rule.reason)
	is_array(rule.obligations)
}

_rules contains {"action": "flag", "reason": "confidence.low", "obligations": []} if {
	some finding in input.findings
	not _surely(finding)
	finding.severity >= 2
	not _other(finding)
}

_other(finding) if data.llama_mapper.tenancy.within(finding.label, "OTHER")

_rules contains {"action": "human_review", "reason": "label.unknown", "obligations": ["review_label"]} if {
	some finding in input.findings
	finding.label == "OTHER.Unknown"
}

_rules contains {"action": "human_review", "reason": "coverage.low", "obligations": []} if not _covered

_covered if input.coverage.score >= data.llama_mapper.tenancy.coverage
