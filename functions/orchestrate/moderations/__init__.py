"""OpenAI's moderation API, answered by our detectors and policies."""
