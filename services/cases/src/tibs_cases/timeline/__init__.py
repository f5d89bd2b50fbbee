"""The timeline: what happened, one feed per case and per counterpart."""
