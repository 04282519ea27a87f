"""Callers told that a job has ended."""
