"""A function generated for one network: its source, its memory, the engine that runs it.

For single rows and small batches it saves calls: kernels take 15 times as long on W1, 5 times on W2
and W3, 2.4 times on W4 and 3.3 times on W5 (`tests/benchmarks/works.py`). A batch is computed row
by row; what needs all rows, such as batch normalisation, and large matrix products are left
to the tape. With batches of 8 rows kernels take 3.1, 1.7, 1.7, 0.75 and 1.1 times as long on these
five, with 32 rows 3.8, 1.4, 1.4, 0.63 and 0.93 times: `choice` estimates which is faster. No work
of the benchmarks has such batches; many configs have, whose bits are those of these functions.
"""
