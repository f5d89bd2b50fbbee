"""The people of organisations, and what they agreed to."""
