"""The command `llama-mapper`."""
