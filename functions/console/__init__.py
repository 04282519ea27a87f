"""console: the web pages; everything they show is asked of the other services."""
