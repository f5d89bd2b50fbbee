"""Today: what waits for a person, sorted by promise."""
