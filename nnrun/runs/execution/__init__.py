"""Training one prepared run in memory, and the record of it."""
