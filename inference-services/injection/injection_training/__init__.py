"""Trains the logistic head of the detector ``minilm-injection``."""
