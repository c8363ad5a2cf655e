"""The built-in data sets, and the table of them."""
