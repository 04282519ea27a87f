"""Trains and scores the mapper's model: data from vocabularies, LoRA on a Llama, calibration on held-out vendors."""
