"""The runs of a report at a glance: which there are, their list, and their closed cards."""
