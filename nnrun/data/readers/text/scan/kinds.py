"""What a column of cells is read as."""

SKIPPED, NUMBER, TEXT = range(3)
