"""Contents judged in the background."""
