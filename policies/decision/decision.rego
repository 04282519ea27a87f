# METADATA
# description: What to do with a content, from its canonical findings and the coverage reached.
package llama_mapper.decision

# METADATA
# description: The decision; human_review where no rule says otherwise, so that a gap in the policy is seen.
# entrypoint: true
default decision := {"action": "human_review", "reasons": ["policy.undecided"], "obligations": []}

decision := {"action": _action, "reasons": _reasons, "obligations": _obligations} if {
	is_array(input.findings)
	is_number(input.coverage.score)
}

# METADATA
# description: Actions from the mildest to the strictest; the strictest that applies wins.
order := ["allow", "flag", "redact", "human_review", "block"]

_action := order[max([i | order[i] in _applying])]

_applying := {"allow"} | {rule.action | some rule in _matched}

# An action that data.json misspells must not read as "allow".
_rules contains {"action": "human_review", "reason": "policy.unknown_action", "obligations": []} if {
	some entry in data.decision.labels
	not _ordered(entry)
}

_ordered(entry) if {
	entry.action in order
	object.get(entry, "otherwise", "allow") in order
}

_reasons := sort([rule.reason | some rule in _matched])

_obligations := sort({obligation | some rule in _matched; some obligation in rule.obligations})

_matched := {rule | some rule in _rules}

_thresholds := object.union(data.decision.thresholds, object.get(input, ["tenant", "thresholds"], {}))

_sure(finding) if finding.confidence >= _thresholds.confidence

_within(label, ancestor) if label == ancestor

_within(label, ancestor) if startswith(label, concat("", [ancestor, "."]))

# A pillar's own action, from data.json: the most specific entry above a label is the one that counts.
_rules contains {"action": action, "reason": concat(".", ["label", entry.code]), "obligations": entry.obligations} if {
	some finding in input.findings
	_sure(finding)
	entry := _entry(finding.label)
	finding.severity >= entry.min_severity
	action := _action_of(entry, finding)
}

# Where an entry asks for several detectors that agree, one alone leads to its milder action.
_action_of(entry, finding) := entry.action if _agreed(entry, finding)

_action_of(entry, finding) := object.get(entry, "otherwise", entry.action) if not _agreed(entry, finding)

_agreed(entry, finding) if object.get(finding, "detectors", 1) >= object.get(entry, "min_detectors", 1)

_entry(label) := entry if {
	depths := [count(split(e.label, ".")) | some e in data.decision.labels; _within(label, e.label)]
	some entry in data.decision.labels
	_within(label, entry.label)
	count(split(entry.label, ".")) == max(depths)
}

_rules contains {"action": "flag", "reason": "confidence.low", "obligations": []} if {
	some finding in input.findings
	not _sure(finding)
	finding.severity >= 2
	not _other(finding)
}

_other(finding) if _within(finding.label, "OTHER")

_rules contains {"action": "human_review", "reason": "label.unknown", "obligations": ["review_label"]} if {
	some finding in input.findings
	finding.label == "OTHER.Unknown"
}

_rules contains {"action": "human_review", "reason": "coverage.low", "obligations": []} if {
	input.coverage.score < _thresholds.coverage
}
