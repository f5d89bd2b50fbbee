"""`python -m tibs_cases` is the command `tibs-cases`."""

from tibs_cases.app import main

main()
