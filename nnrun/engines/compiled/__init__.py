"""The compiled engine: a function generated and compiled for one network.

`generate` writes the function's source from the emitters in `layers`, `activations`, `losses` and
`optimizers`; `cache` has it compiled once (by `native`, through Numba, in the process that
`compiler` starts) and keeps the machine code in files that are `private`; `machine` loads that
without Numba; `engine` moves the numbers in and out.
"""

from __future__ import annotations

from nnrun.engines.compiled.choice import choose, supports, too_large
from nnrun.engines.compiled.engine import CompiledEngine, UnsupportedError, compile_ahead
from nnrun.engines.compiled.generate import emit, generate

__all__ = [
    "CompiledEngine",
    "UnsupportedError",
    "choose",
    "compile_ahead",
    "emit",
    "generate",
    "supports",
    "too_large",
]
