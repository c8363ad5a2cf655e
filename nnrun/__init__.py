"""nnrun: an experiment runner for small neural networks.

import nnrun

run = nnrun.train("configs/digits_cnn.yaml", seed=3)
run.metrics["test"]["accuracy"]
run.predict(x)
"""

# Not from typing: `python -m nnrun` has the working folder among its places until __main__ takes
# it out, so that nothing may be imported before.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from nnrun.api import (
        best,
        check,
        explain,
        extend,
        importance,
        init,
        load,
        out_of_fold,
        pack,
        report,
        runs,
        search,
        sweep,
        train,
        verify,
    )

__version__ = "0.1.0"

# Raised whenever a change alters the bits of a result; it is part of every run's digest, so that
# numbers from before and after such a change never pass for the same run.
#
# 2: by version 1 the compiled engine trained two kinds of networks wrongly, each time differently.
# Maps of 1×1, the output of batch_norm, gelu, softplus, dropout, a bias of its own or residual,
# before a convolution with padding, with 9-16, 25-32, 41-48, 57-64, … channels (those that, rounded
# up to a multiple of 8, make one of 16; but 128 and its multiples in float64, 256 in float32).
# Convolutions with more than 131,056 channels × kernel height × kernel width, or output channels.
NUMERICS_VERSION = 2

__all__ = [
    "NUMERICS_VERSION",
    "__version__",
    "best",
    "check",
    "explain",
    "extend",
    "importance",
    "init",
    "load",
    "out_of_fold",
    "pack",
    "report",
    "runs",
    "search",
    "sweep",
    "train",
    "verify",
]

# The last three are functions, too; see nnrun/callables.py.
_MODULES = ("api", "errors", "nn", "plugins", "explain", "runs", "search")


def __getattr__(name: str) -> object:
    """Import names from other modules at first use."""
    from importlib import import_module  # noqa: PLC0415  # as above

    if name in _MODULES:
        return import_module(f"nnrun.{name}")
    if name in __all__:
        return getattr(import_module("nnrun.api"), name)
    raise AttributeError(f"module 'nnrun' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES})
