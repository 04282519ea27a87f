"""The cluster's own API, as far as a canary needs it: InferenceServices and Canaries of one namespace."""
