"""Where an order of rows stands: what `sampling` and the compiled loop `drive` both work on."""

from __future__ import annotations

from nnrun.engines.compiled.llvm.arguments import ARGUMENTS

# Iterations that the generated function is called for, at most: bounds and rates stay in the cache.
PIECE = 4096
SAMPLINGS = ("with_replacement", "shuffle", "in_order")
WITH_REPLACEMENT, SHUFFLE, IN_ORDER = range(3)

# The fields that compiled code works on, 64 bits each. First the stream: lower and upper half of
# the state and of the increment, whether half of a number is left, and that half.
STATE, INCREMENT, FULL, HALF = 0, 2, 4, 5
STREAM = 6
# What the stream was before the block was drawn, and before the next one was.
BLOCK_STREAM, NEXT_STREAM = 6, 12
# Addresses of the two, rows in them; rows of the block that have been taken, and how many are to be
# skipped when the next one begins; rows of the next that have been drawn.
BLOCK, NEXT, SIZE, USED, SKIP, AHEAD = range(18, 24)
# Rows are drawn with replacement from those below BOUND.
SAMPLING, BATCH, BOUND = range(24, 27)
# The address of the generated function, and whether it draws; bytes from one rate to the next;
# random numbers that dropout takes for a row.
FUNCTION, TOGETHER, RATE_BYTES, DRAWN = range(27, 31)
# Evaluations at each stop: the address of their tables, one after the other, and how many. Then
# the nanoseconds that updates and evaluations have taken.
EVALUATIONS, TABLES, UPDATE_TIME, EVALUATION_TIME = range(31, 35)
FIELDS = 35

# A table of an evaluation holds the function's arguments, and the bytes that its outputs take.
OUTPUT_BYTES = len(ARGUMENTS)
