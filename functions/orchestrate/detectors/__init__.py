"""Asking detectors: who is asked where, how long, how often, and who stands in."""
