"""`python -m tibs_matching`."""

from tibs_matching.app import main

main()
