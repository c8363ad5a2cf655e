"""The data sets that configs name, and the table of them."""
