"""The brokers' workbench: pages over the use cases of this service and the other services of the node."""
