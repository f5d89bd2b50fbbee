"""`python -m tibs_notify`."""

from tibs_notify.app import main

main()
