"""Llama Mapper: one canonical taxonomy for what any detector says."""
