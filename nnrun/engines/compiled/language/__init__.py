"""The language of kernels: a part of Python that is translated straight to LLVM's.

A kernel is a plain function that Python never runs. Its source becomes machine code in a few
milliseconds, where a compiler of all of Python would take a second to begin.

    numbers      int64 and `real`, the kernel's precision; `double` where it is said
    addresses    `pointer(i)` of an integer; `x[i]` reads and writes, `x + i` is another address
    statements   assignments, if, while, for over range(…) with a step above 0
    expressions  + - * / // % << >>, comparisons, and, or, not, `a if c else b` (a select)
    functions    other plain functions, always inlined, with one return at their end

What is constant when it is translated stays a value of Python: a loop over constants is unrolled,
an `if` of one chosen. // and % are of numbers that are not negative. Products that are added are
fused by the rule of `fusing`; nothing else is reordered.
"""
