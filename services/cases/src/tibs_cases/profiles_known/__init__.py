"""What this node knows of profiles: the published ones of all regions, and how its own move."""
