"""The compiled engine: a function for one network, or kernels for all; `choice` says which.

For single rows and small networks `generate` writes a function's source, from the emitters in
`layers`, `activations`, `losses` and `optimizers`; `compiler` makes machine code of it; `engine`
moves the numbers in and out. For what is larger `tape` lists calls of `kernels`. Functions and
kernels are written in one `language`, a part of Python that is translated to LLVM's code. `cache`
keeps the machine code in files that are `private`, and `machine` loads it.
"""

from __future__ import annotations

from nnrun.engines.compiled.choice import choose, supports, too_large, way
from nnrun.engines.compiled.generated.engine import (
    CompiledEngine,
    CompiledFunctions,
    UnsupportedError,
    compile_ahead,
)
from nnrun.engines.compiled.generated.generate import emit, generate

__all__ = [
    "CompiledEngine",
    "CompiledFunctions",
    "UnsupportedError",
    "choose",
    "compile_ahead",
    "emit",
    "generate",
    "supports",
    "too_large",
    "way",
]
