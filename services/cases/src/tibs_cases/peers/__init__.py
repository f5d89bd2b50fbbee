"""Peers: whether the line to each other region works, in each direction, and if not, why."""
