"""Object files of generated functions, which later test runs find in the cache."""

from __future__ import annotations

from hashlib import sha256

from nnrun.compiler import cache
from nnrun.compiler.compile import compile_source
from nnrun.compiler.machine import Processor


def compiled_for(target: Processor, source: str, dtype: str) -> bytes:
    """A source's object file for a processor."""
    key = sha256(f"{target} {dtype} {cache.digest(source)}".encode()).hexdigest()

    def compile_() -> bytes:
        return compile_source(source, dtype, "train.py", target)

    return cache.kept(key, compile_, lambda text: None, "")
