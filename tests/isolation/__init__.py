"""Who sees what of whom: the operations and stores that hold tenants' data, how each keeps tenants apart, and probes.

``python -m tests.isolation`` writes the tables of docs/isolation.md and docs/attacks.md again.
"""
