"""What every service is built on: parse and answer, settings, correlation, scrubbed logs, metrics, events, calls."""
