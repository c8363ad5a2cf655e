"""The compiled engine: a function for one network, or kernels for all networks, by `choice`.

`generated` writes the source of a function for one network, for single rows and small networks;
`tape` lists calls of `kernels` for larger ones. Both take their mathematics from `formulas`, and
are written in one `language`, a part of Python that is translated to LLVM's code. `llvm` compiles,
caches and loads machine code.
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
