"""`python -m tibs_registry`, the same as `tibs-registry`."""

from tibs_registry.app import main

main()
