"""What the services agree on: requests, answers, events and problems. Pydantic and the standard library only."""
