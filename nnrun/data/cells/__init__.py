"""Cells of a table, read into columns of numbers or categories, and what is wrong with them."""
