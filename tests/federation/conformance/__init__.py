"""Holds a node of the federation to its rules, over Kafka alone: docs/integrate/conformance.md."""
