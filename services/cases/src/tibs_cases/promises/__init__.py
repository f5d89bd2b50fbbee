"""Promises: what this region owes by when, in its own working days."""
