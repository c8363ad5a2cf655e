"""The state of an order of rows, which `generated/steps.py` and the compiled loop `drive` share."""

from __future__ import annotations

from nnrun.compiler.arguments import ARGUMENTS

# Most iterations of one call of the generated function: bounds and rates stay in the cache.
PIECE = 4096
SAMPLINGS = ("with_replacement", "shuffle", "in_order")
WITH_REPLACEMENT, SHUFFLE, IN_ORDER = range(3)

# The fields that compiled code works on, 64 bits each. First the stream: lower and upper half of
# the state and of the increment, whether half of a number is left, and that half.
STATE, INCREMENT, FULL, HALF = 0, 2, 4, 5
STREAM = 6
# The stream before the block was drawn, and before the next one was.
BLOCK_STREAM, NEXT_STREAM = 6, 12
# Addresses of the two, rows in them; rows used of the block, rows to skip when
# the next one begins, rows drawn of the next.
BLOCK, NEXT, SIZE, USED, SKIP, AHEAD = range(18, 24)
# Rows are drawn with replacement from those below BOUND.
SAMPLING, BATCH, BOUND = range(24, 27)
# The address of the generated function, and whether it draws; bytes from one rate to the next;
# random numbers that dropout takes for a row.
FUNCTION, TOGETHER, RATE_BYTES, DRAWN = range(27, 31)
# Evaluations at each stop: the address of their tables and their number. Then the nanoseconds of
# updates and of evaluations.
EVALUATIONS, TABLES, UPDATE_TIME, EVALUATION_TIME = range(31, 35)
FIELDS = 35

# A table of an evaluation holds the function's arguments, and the bytes that its outputs take.
OUTPUT_BYTES = len(ARGUMENTS)
