"""The desk: who works here, who is away, who stands in, who gets what comes in."""
