"""Brokerage cases: the whole handling of one client need, from intake to outcome."""
