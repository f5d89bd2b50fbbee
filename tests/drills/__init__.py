"""Faults under load, and a ledger that finds whatever was lost, doubled or put out of order."""
