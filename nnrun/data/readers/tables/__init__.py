"""Tables with a header, in files of each format or in memory, read as columns."""
