"""Notices: what a person should hear of, and whether it was seen."""
