"""Introductions: this region's half of each, at home or as the counterpart."""
