"""Organisations of the region."""
