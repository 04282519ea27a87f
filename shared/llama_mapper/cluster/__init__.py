"""The cluster's own API, as far as it is needed: InferenceServices, Canaries, and Services that are detectors."""
