"""Every request's way in: who asks, how often, and whether it was asked before."""
