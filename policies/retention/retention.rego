# METADATA
# description: How long what is kept about a tenant's requests is kept.
package llama_mapper.retention

import data.llama_mapper.tenancy

# METADATA
# description: Days; null where the platform does not say, so that each store's own period holds.
# entrypoint: true
default retention := {"days": null}

retention := {"days": max([data.retention.least_days, min(_wished)])} if {
	is_number(data.retention.least_days)
	is_number(data.retention.most_days)
}

# Nobody may wish for more than the platform keeps, nor for less than the law asks.
_wished := array.concat([data.retention.most_days], array.concat(_tenants, _contexts))

_tenants := [days | days := data.llama_mapper.tenancy.retention_days]

_contexts := [context.retention_days |
	some context in data.llama_mapper.tenancy.contexts
	is_number(context.retention_days)
]
