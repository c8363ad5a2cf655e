"""Whether a run's numbers can be had again."""
