"""Tenants' own configuration, kept in versions."""
