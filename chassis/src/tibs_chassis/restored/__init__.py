"""A database that is older than what it has published: found out before it publishes on, and brought in step again."""
