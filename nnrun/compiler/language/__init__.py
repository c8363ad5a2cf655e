"""A part of Python that is translated straight to LLVM's code: what kernels and generated functions
are written in.

Python never runs these functions. Translating one takes milliseconds; importing a compiler of all
of Python, such as Numba, takes a second.

    numbers      int64 and `real`, the precision of the code; `double(x)` is a float64
    addresses    `x[i]` reads and writes, `x + i` is another address
    arrays       `view(address, offset, shape)`, of a constant shape; `a[i, j]`
    vectors      `read(x, lanes)`, `write(v, x)`; operators take vectors, and numbers beside them
    statements   assignments, if, while, for over range(…) with a step above 0 or over a tuple
    expressions  + - * / // % << >>, comparisons, and, or, not, `a if c else b` (a select)
    functions    other plain functions, always inlined, with one return at their end

Constants stay values of Python: an `if` on one is decided while translating, and a loop over
constants is unrolled, except in generated functions, which unroll loops themselves. // and % take
numbers that are not negative. Sums of products are fused by the rule of `fusing`; nothing else is
reordered. Numbers of different types cannot be mixed.
"""
