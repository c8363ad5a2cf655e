"""A part of Python that is translated straight to LLVM's code: what kernels and generated functions
are written in.

A function of the language is one that Python never runs. Its source becomes LLVM's code in a few
milliseconds, where a compiler of all of Python would take a second to begin.

    numbers      int64 and `real`, the precision of the code; `double(x)` is a float64
    addresses    `x[i]` reads and writes, `x + i` is another address
    arrays       `view(address, offset, shape)`, of a constant shape; `a[i, j]`
    statements   assignments, if, while, for over range(…) with a step above 0
    expressions  + - * / // % << >>, comparisons, and, or, not, `a if c else b` (a select)
    functions    other plain functions, always inlined, with one return at their end

What is constant when it is translated stays a value of Python: an `if` of one is chosen, and a loop
over constants is unrolled, but in generated functions, which say themselves what is to be unrolled.
// and % are of numbers that are not negative. Products that are added are fused by the rule of
`fusing`; nothing else is reordered. Numbers of two types do not go together.
"""
