# mypy: disallow-untyped-decorators=False
"""Random rows for generated source."""

from __future__ import annotations

from typing import Any

from nnrun.engines.compiled.kernels import pcg64
from nnrun.engines.compiled.native.memory import intrinsic, types


@intrinsic
def below(typing_context: Any, stream: Any, bound: Any) -> Any:
    """A random integer from 0 to bound - 1, for 2 ≤ bound < 2³²; the stream moves on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return pcg64.below(builder, *arguments)

    return types.int64(stream, bound), generate
