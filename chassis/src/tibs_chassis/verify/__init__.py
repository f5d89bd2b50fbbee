"""Is what was written what is held? Outbox against topic, topic against its mirror, topic against readers."""
