"""NumPy's random streams in compiled code, and the loop that draws rows."""
