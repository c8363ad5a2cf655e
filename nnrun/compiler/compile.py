"""From generated source to machine code."""

from __future__ import annotations

from typing import Any

from nnrun.compiler import machine
from nnrun.compiler import translator as definitions
from nnrun.compiler.arguments import ARGUMENTS
from nnrun.compiler.code import I64, REAL
from nnrun.compiler.machine import SYMBOL, Processor
from nnrun.compiler.translator import Translator


def compile_source(source: str, dtype: str, path: str, target: Processor | None = None) -> bytes:
    """An object file that holds the `train` of this source.

    It is for the processor that this runs on, unless a `target` is given.

    Raises:
        LanguageError: the source is wrong.
    """
    definition = definitions.generated(source, path)
    kinds = [_kind(kind, dtype) for kind in ARGUMENTS.values()]
    translator = Translator(definition, SYMBOL, kinds, dtype)
    for argument in translator.function.args:
        # Without noalias, LLVM guards every loop by a check for overlap.
        if argument.type.is_pointer:
            argument.add_attribute("noalias")
    return machine.object_file(str(translator.module), target)


def _kind(text: str, dtype: str) -> Any:
    """LLVM's type of an argument."""
    name, pointer, _ = text.partition("*")
    kind = I64 if name == "int64" else REAL[dtype if name == "real" else name]
    return kind.as_pointer() if pointer else kind
