"""Detectors that join while the system runs: registered over the API, or found in the cluster."""
