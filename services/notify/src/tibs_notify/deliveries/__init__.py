"""Deliveries: notices on their way to people by mail, and what became of each try."""
