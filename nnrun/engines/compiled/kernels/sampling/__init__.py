"""NumPy's random streams in compiled code, and the loop that draws rows.

If NumPy drew them, `nnrun train` would take 2.7 times as long for each update of W1, 1.34 times for
W2, and a third more for short runs, whose evaluations are made in the same call.
"""
