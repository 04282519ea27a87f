"""A Trigger's filters: the dialects of the CloudEvents subscriptions API, as Knative has them, without ``cesql``."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

AttributeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*$")]
AttributeText = Annotated[str, StringConstraints(min_length=1)]
Attributes = Annotated[dict[AttributeName, AttributeText], Field(min_length=1)]


class Filter(BaseModel):
    """One filter: exactly one dialect. An attribute that an event does not have never matches."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    exact: Attributes | None = None
    prefix: Attributes | None = None
    suffix: Attributes | None = None
    all_of: Annotated[tuple["Filter", ...], Field(min_length=1)] | None = Field(default=None, alias="all")
    any_of: Annotated[tuple["Filter", ...], Field(min_length=1)] | None = Field(default=None, alias="any")
    negated: "Filter | None" = Field(default=None, alias="not")

    @model_validator(mode="after")
    def _one_dialect(self) -> "Filter":
        if len(self.model_fields_set) != 1 or None in (getattr(self, name) for name in self.model_fields_set):
            raise ValueError("needs exactly one of exact, prefix, suffix, all, any, not")
        return self

    def matches(self, attributes: Mapping[str, str]) -> bool:
        if self.all_of is not None:
            return all(inner.matches(attributes) for inner in self.all_of)
        if self.any_of is not None:
            return any(inner.matches(attributes) for inner in self.any_of)
        if self.negated is not None:
            return not self.negated.matches(attributes)
        if self.exact is not None:
            return all(attributes.get(name) == value for name, value in self.exact.items())
        if self.prefix is not None:
            return all(attributes.get(name, "").startswith(value) for name, value in self.prefix.items())
        return all(attributes.get(name, "").endswith(value) for name, value in (self.suffix or {}).items())


def all_match(filters: Sequence[Filter], attributes: Mapping[str, str]) -> bool:
    """Say whether an event passes; no filters let everything pass."""
    return all(one.matches(attributes) for one in filters)
