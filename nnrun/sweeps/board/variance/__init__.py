"""The variance of a mean over replicates that may share their split or their weights."""
