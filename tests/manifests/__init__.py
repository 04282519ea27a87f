"""Checks that a rendered set of manifests is what a cluster would take, and does what this repository's code expects.

``python -m tests.manifests`` (``make render``) builds every overlay and combination and prints each fault with the
file, the object and the field. Offline: no API server is asked.
"""
