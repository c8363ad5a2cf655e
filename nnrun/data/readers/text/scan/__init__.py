"""Cells of CSV text by machine code: where they are, and the numbers in them.

It takes what is common, and leaves the rest to the reader of single cells: of a number it gives the
same bits or none.
"""
