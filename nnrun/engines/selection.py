"""Which engine a run gets, and the engine itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from nnrun.engines.base import Engine
from nnrun.engines.choice import choose, supports, tape_seconds, way, why_not_compiled
from nnrun.engines.generated import engine as generated
from nnrun.engines.generated import generate
from nnrun.engines.generated.engine import CompiledEngine, CompiledFunctions
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array, Rng


class EngineError(ValueError):
    """The requested engine cannot train this network."""


class Selected(NamedTuple):
    """The engine of a run, by its name.

    `note` is the reason if `auto` chooses NumPy for another one than a short run.
    """

    name: str
    note: str | None


def select_engine(
    wish: str, network: Network, optimizer: Optimizer, *, batch_size: int, iterations: int
) -> Selected:
    """The engine for `training.engine`, from the config alone.

    Raises:
        EngineError: `compiled` is requested and cannot train this network.
    """
    if wish == "compiled" and (reason := supports(network, optimizer)) is not None:
        raise EngineError(f"{reason}; use engine auto or numpy")
    if wish != "auto":
        return Selected(wish, None)
    name = choose(network, optimizer, batch_size=batch_size, iterations=iterations)
    return Selected(name, why_not_compiled(network))


# Seconds of an update that threads share: they meet several times in it, which takes microseconds
# where each has a core, and many of these where other programs need the cores.
WORTH_SHARING = 100e-6


def build_engine(
    name: str,
    network: Network,
    optimizer: Optimizer,
    x: Array,
    target: Array,
    *,
    rng: Rng,
    clip_norm: float | None,
    batch_size: int,
    losses: bool = False,
    threads: int = 1,
    wait: Callable[[str], None] = lambda text: None,
    compiled_functions: CompiledFunctions | None = None,
) -> Engine:
    """The engine of this name, for an initialized network and its optimizer.

    With `losses`, `run` can return the losses of batches. `wait` is called before anything is
    compiled. New functions are added to `compiled_functions`, which all seeds of a config share.
    No bit depends on the number of `threads`; they are of use to kernels only.
    """
    if name == "numpy":
        return NumpyEngine(network, optimizer, x, target, rng=rng, clip_norm=clip_norm)
    kind: Callable[..., Engine]
    if not compiled_functions and way(network, optimizer, batch_size) == "tape":
        from nnrun.engines.tape.engine import TapeEngine  # noqa: PLC0415  # slow to import

        shares = tape_seconds(network, batch_size) >= WORTH_SHARING
        kind = partial(TapeEngine, threads=threads if shares else 1)
    else:
        kind = partial(CompiledEngine, compiled_functions=compiled_functions)
    return kind(
        network,
        optimizer,
        x,
        target,
        rng=rng,
        clip_norm=clip_norm,
        batch_size=batch_size,
        losses=losses,
        wait=wait,
    )


def buffers(wish: str, network: Network, optimizer: Optimizer, *, batch_size: int) -> int:
    """About how many numbers the engine needs for parameters, besides network and optimizer."""
    if wish == "numpy" or way(network, optimizer, batch_size) == "generated":
        return 0
    from nnrun.engines.tape import engine as tape_memory  # noqa: PLC0415  # as above

    return tape_memory.buffers(network, batch_size)


def compile_ahead(
    name: str,
    network: Network,
    optimizer: Optimizer,
    *,
    clip_norm: float | None,
    batch_size: int,
) -> None:
    """Compile ahead what an engine of this name needs."""
    if name != "compiled":
        return
    if way(network, optimizer, batch_size) == "tape":
        from nnrun.engines.tape import engine as tape  # noqa: PLC0415  # as above

        tape.compile_ahead(network, optimizer, clip_norm=clip_norm, batch_size=batch_size)
    else:
        generated.compile_ahead(network, optimizer, clip_norm=clip_norm, batch_size=batch_size)


def source_code(
    network: Network, optimizer: Optimizer, *, clip_norm: float | None, batch_size: int
) -> str:
    """The generated source of a network, or its tape as text.

    Raises:
        EngineError: the compiled engine cannot train the network.
    """
    if (reason := supports(network, optimizer)) is not None:
        raise EngineError(reason)
    emit = generate.emit
    if way(network, optimizer, batch_size) == "tape":
        from nnrun.engines.tape import network as tape_text  # noqa: PLC0415  # as above

        emit = tape_text.emit
    return emit(network, optimizer, clip_norm=clip_norm, batch_size=batch_size)
