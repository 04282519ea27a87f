"""Every service's HTTP API, fuzzed by what its own OpenAPI document says."""
