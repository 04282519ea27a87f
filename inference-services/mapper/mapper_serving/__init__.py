"""The mapper's transformer: a vendor's label in, canonical labels out, by rule, cache or model."""
