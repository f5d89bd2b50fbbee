"""The published profiles of all regions, held so that they can be found by meaning and by word."""
