# METADATA
# description: What holds for a tenant, of the platform's rules and of what was configured for it, which is only ever stricter.
package llama_mapper.tenancy

# METADATA
# description: The tenant's rules, and which fields of a proposed configuration would loosen them.
# entrypoint: true
default tenancy := {"known": false, "rules": {}, "ignored": []}

tenancy := {"known": true, "rules": rules, "ignored": sort(_ignored)} if known

# METADATA
# description: The tenant has an entry in data.json, or was made by the platform's administrators.
known if _stated

_stated if is_object(_static)

known if {
	is_object(_made)
	is_string(input.tenant_id)
	is_object(data.tenant_defaults)
}

_static := data.tenants[input.tenant_id]

_made := input.tenant.platform

_base := _static if _stated

_base := data.tenant_defaults if {
	not _stated
	known
}

# METADATA
# description: What was said about the tenant, from the platform down to its own administrators; each can only add.
layers := [layer | some layer in [_entry, _platforms, _own]; count(layer) > 0]

default _entry := {}

_entry := _static if _stated

default _platforms := {}

_platforms := _made if is_object(_made)

default _own := {}

_own := input.tenant.own if is_object(input.tenant.own)

# METADATA
# description: All of it together; what is missing here is not limited.
rules := {name: value | some name in _names; value := _rule(name)}

_names := [
	"enabled", "key_required", "max_content_characters", "max_priority", "requests_per_minute", "requests_per_day",
	"confidence", "coverage", "extra_detectors", "required_detectors", "redaction_operators", "callback_hosts",
	"retention_days", "review_queue",
]

_rule("enabled") := enabled

_rule("key_required") := key_required

_rule("max_content_characters") := max_content_characters

_rule("max_priority") := max_priority

_rule("requests_per_minute") := min(_numbers("requests_per_minute")) if count(_numbers("requests_per_minute")) > 0

_rule("requests_per_day") := min(_numbers("requests_per_day")) if count(_numbers("requests_per_day")) > 0

_rule("confidence") := confidence

_rule("coverage") := coverage

_rule("extra_detectors") := sort(extra_detectors)

_rule("required_detectors") := sort(required_detectors)

_rule("redaction_operators") := sort(redaction_operators)

_rule("callback_hosts") := sort(_hosts) if _hosts_are_listed

_rule("retention_days") := retention_days

_rule("review_queue") := review_queue

# Each stands only where it is proven, so that an entry that is incomplete lets nothing through.
default enabled := false

enabled if {
	_base.enabled == true
	every layer in layers { object.get(layer, "enabled", true) != false }
}

default key_required := true

key_required := false if {
	_base.key_required == false
	every layer in layers { object.get(layer, "key_required", false) != true }
}

max_content_characters := min(array.concat([_base.max_content_characters], _numbers("max_content_characters"))) if {
	is_number(_base.max_content_characters)
}

_numbers(field) := [layer[field] | some layer in layers; is_number(layer[field])]

_thresholds(field) := [layer.thresholds[field] | some layer in layers; is_number(layer.thresholds[field])]

# METADATA
# description: How many days at most anybody wants kept what is kept; not there where nobody says.
retention_days := min(_numbers("retention_days")) if count(_numbers("retention_days")) > 0

# METADATA
# description: From this confidence on a finding counts; the lower the stricter.
confidence := min(array.concat([data.decision.thresholds.confidence], _thresholds("confidence"))) if {
	is_number(data.decision.thresholds.confidence)
}

# METADATA
# description: Below this coverage a person decides; the higher the stricter.
coverage := max(array.concat(array.concat([data.decision.thresholds.coverage], _thresholds("coverage")), _asked_for)) if {
	is_number(data.decision.thresholds.coverage)
}

_asked_for := [context.coverage | some context in contexts; is_number(context.coverage)]

extra_detectors := {id | some layer in layers; some id in _list(layer, "extra_detectors")}

required_detectors := {id | some layer in layers; some id in _list(layer, "required_detectors")}

_list(layer, field) := [word | some word in layer[field]; is_string(word)] if is_array(layer[field])

# METADATA
# description: The platform's operators for this tenant that everybody else who said something about it allows too.
redaction_operators := {operator |
	is_array(_platforms_operators)
	some operator in _platforms_operators
	may_redact_by(operator)
}

# METADATA
# description: Nobody who said something about the tenant leaves the operator out.
may_redact_by(operator) if every layer in layers { _lists(layer, "redaction_operators", operator) }

_platforms_operators := operators if {
	operators := data.redaction.tenants[input.tenant_id].operators
} else := data.redaction.operators

# Who lists nothing objects to nothing.
_lists(layer, field, word) if {
	listed := object.get(layer, field, null)
	_in_or_none(listed, word)
}

_in_or_none(listed, _) if not is_array(listed)

_in_or_none(listed, word) if {
	is_array(listed)
	word in listed
}

_hosts_are_listed if {
	some layer in layers
	is_array(layer.callback_hosts)
}

_hosts := {host |
	some layer in layers
	some host in _list(layer, "callback_hosts")
	every other in layers { _lists(other, "callback_hosts", host) }
}

# METADATA
# description: Whom a human review goes to; the last who named a queue is heeded.
review_queue := _queues[count(_queues) - 1] if count(_queues) > 0

_queues := [queue |
	some queue in array.concat(
		[queue | queue := data.decision.review_queue],
		[layer.review_queue | some layer in layers],
	)
	is_string(queue)
]

# METADATA
# description: Priorities from the least to the most urgent.
priorities := ["low", "normal", "high", "critical"]

# METADATA
# description: The most urgent priority that the tenant may use.
max_priority := priorities[min(_ranks)]

_ranks := [rank |
	some word in array.concat(
		["critical"],
		array.concat([word | word := data.priorities.most], [layer.max_priority | some layer in layers]),
	)
	some rank, priority in priorities
	priority == word
]

# METADATA
# description: What the platform says about the route, the class of the data and the kind of content, most telling first.
contexts := [context |
	some context in array.concat(_classes, array.concat(_routes, array.concat(_types, _profiles)))
	is_object(context)
]

_routes := [context | context := data.routes[input.route]]

_types := [context | context := data.selection.content_types[input.content_type]]

_profiles := [context | context := data.selection.profiles[input.processing_mode]]

# METADATA
# description: The rules of the data's class and of every milder one, the strictest first.
_classes := [data.data_classes.rules[_order[back]] |
	some step in numbers.range(1, count(_order))
	back := count(_order) - step
	back <= _class
]

default _order := []

_order := data.data_classes.order if is_array(data.data_classes.order)

# A class that nobody knows counts as the strictest, one that is not said as the platform's default.
default _class := 1000

_class := min(_places) if count(_places) > 0

_places := [place | some place, name in _order; name == _class_named]

default _class_named := ""

_class_named := input.data_class if is_string(input.data_class)

_class_named := data.data_classes.default if object.get(input, "data_class", null) == null

# METADATA
# description: Actions from the mildest to the strictest.
actions := ["allow", "flag", "redact", "human_review", "block"]

# METADATA
# description: Everybody's lists of what to do about which label, each to be heeded by itself.
label_lists := array.concat(_platform_lists, [layer.labels | some layer in layers; is_array(layer.labels)])

_platform_lists := array.concat(
	[list | list := data.decision.labels; is_array(list)],
	[context.labels | some context in contexts; is_array(context.labels)],
)

# METADATA
# description: The most specific entries of a list above a label; more than one where it says one thing twice.
entries_of(list, label) := {entry |
	depths := [count(split(e.label, ".")) | some e in list; within(label, e.label)]
	some entry in list
	within(label, entry.label)
	count(split(entry.label, ".")) == max(depths)
}

# METADATA
# description: The label is the other one or lies below it.
within(label, ancestor) if label == ancestor

within(label, ancestor) if startswith(label, concat("", [ancestor, "."]))

# What of a proposed configuration would loosen what holds without it; it has no effect, and whoever proposes it is told.
_ignored contains "enabled" if {
	input.proposed.enabled == true
	not enabled
}

_ignored contains "key_required" if {
	input.proposed.key_required == false
	key_required
}

_ignored contains field if {
	some field in ["max_content_characters", "requests_per_minute", "requests_per_day"]
	input.proposed[field] > rules[field]
}

_ignored contains "thresholds.confidence" if input.proposed.thresholds.confidence > confidence

_ignored contains "thresholds.coverage" if input.proposed.thresholds.coverage < coverage

_ignored contains "max_priority" if {
	some rank, priority in priorities
	priority == input.proposed.max_priority
	rank > min(_ranks)
}

_ignored contains "redaction_operators" if {
	is_array(input.proposed.redaction_operators)
	some operator in input.proposed.redaction_operators
	not operator in redaction_operators
}

_ignored contains "callback_hosts" if {
	is_array(input.proposed.callback_hosts)
	_hosts_are_listed
	some host in input.proposed.callback_hosts
	not host in _hosts
}

_ignored contains "retention_days" if input.proposed.retention_days > _kept_at_most

_ignored contains "retention_days" if input.proposed.retention_days < data.retention.least_days

_kept_at_most := min(array.concat([data.retention.most_days], _numbers("retention_days")))

_ignored contains sprintf("labels.%d", [place]) if {
	is_array(input.proposed.labels)
	some place, entry in input.proposed.labels
	some list in label_lists
	some holds in entries_of(list, entry.label)
	_milder(entry, holds)
}

# Nowhere stricter than what holds, and milder somewhere.
_milder(entry, holds) if {
	_strictness(entry.action) < _strictness(_least(holds))
	entry.min_severity >= holds.min_severity
}

_milder(entry, holds) if {
	_strictness(entry.action) == _strictness(_least(holds))
	entry.min_severity > holds.min_severity
}

_strictness(action) := rank if {
	some rank, name in actions
	name == action
}

_least(entry) := object.get(entry, "otherwise", entry.action)
