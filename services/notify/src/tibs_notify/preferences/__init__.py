"""Preferences: what a person wants to hear of, by which way, and when not."""
