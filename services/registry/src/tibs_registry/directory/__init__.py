"""What all regions published: a copy, built from their events."""
