"""Llama Mapper: one canonical taxonomy for what any detector says."""

__version__ = "0.1.0"
