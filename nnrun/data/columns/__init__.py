"""What a column of a table becomes in x: a class for each kind, and the table of kinds."""
