"""The servers a stack stands on, each found as: configured, embedded, Docker, or a sentence on what to install."""
