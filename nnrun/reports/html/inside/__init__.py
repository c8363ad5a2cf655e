"""Rows of the data inside a network: as pictures or values, layer by layer, near its boundary."""
