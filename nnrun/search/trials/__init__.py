"""The trials of a search: what comes next, which end early, and the runs that judge them."""
