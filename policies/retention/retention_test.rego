package llama_mapper.retention_test

import data.llama_mapper.retention

_data := {"least_days": 10, "most_days": 90}

_classes := {"order": ["public", "secret"], "default": "public", "rules": {"secret": {"retention_days": 40}}}

_days(question) := answer.days if {
	answer := retention.retention with input as question with data.retention as _data with data.data_classes as _classes
}

_own(days) := {"tenant_id": "demo", "tenant": {"own": {"retention_days": days}}}

test_the_platform_keeps_as_long_as_it_may if _days({}) == 90

test_tenant_may_have_less_kept if _days(_own(30)) == 30

test_tenant_may_not_have_more_kept if _days(_own(91)) == 90

test_nobody_has_less_kept_than_the_law_asks if _days(_own(9)) == 10

test_the_law_is_enough if _days(_own(10)) == 10

test_class_of_the_data_has_its_own if _days({"data_class": "secret"}) == 40

test_shortest_counts if _days(object.union(_own(20), {"data_class": "secret"})) == 20

test_wish_of_another_type_is_none if _days(_own("3")) == 90

test_platform_that_does_not_say_leaves_it_to_the_stores if {
	answer := retention.retention with input as {} with data.retention as {"most_days": 90}
	answer == {"days": null}
}
