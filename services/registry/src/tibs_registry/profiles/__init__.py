"""Partnership profiles: the anonymous needs and offers of clients."""
