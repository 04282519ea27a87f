"""record: a metadata row for every finding, decision and analysis; never the content."""
