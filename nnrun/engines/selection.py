"""Which engine a run gets, and the engine itself."""

from __future__ import annotations

from collections.abc import Callable

from nnrun.engines import compiled
from nnrun.engines.base import Engine
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array, Rng


class EngineError(ValueError):
    """The engine that was asked for cannot train this network."""


def select_engine(
    wish: str, network: Network, optimizer: Optimizer, *, batch_size: int, iterations: int
) -> str:
    """The name of the engine for `training.engine`, from the config alone.

    Raises:
        EngineError: `compiled` was asked for, and cannot be had.
    """
    if wish == "auto":
        return compiled.choose(network, optimizer, batch_size=batch_size, iterations=iterations)
    if wish == "compiled" and (reason := compiled.supports(network, optimizer)) is not None:
        raise EngineError(f"{reason}; use engine auto or numpy")
    return wish


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
    wait: Callable[[str], None] = lambda text: None,
) -> Engine:
    """The engine of this name, for an initialized network and its optimizer.

    With `losses` its `run` can be asked for the losses of batches; `wait` is told what takes its
    time before training begins.
    """
    if name == "numpy":
        return NumpyEngine(network, optimizer, x, target, rng=rng, clip_norm=clip_norm)
    return compiled.CompiledEngine(
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


def why_not_compiled(wish: str, network: Network) -> str | None:
    """Where `auto` means NumPy because compiling would take too long: that, as a sentence."""
    reason = compiled.too_large(network) if wish == "auto" else None
    return f"{reason}, so NumPy trains it" if reason else None


def compile_ahead(
    name: str,
    network: Network,
    optimizer: Optimizer,
    *,
    clip_norm: float | None,
    batch_size: int,
) -> None:
    """Make ready what an engine of this name will need, so that it starts at once."""
    if name == "compiled":
        compiled.compile_ahead(network, optimizer, clip_norm=clip_norm, batch_size=batch_size)


def source_code(
    network: Network, optimizer: Optimizer, *, clip_norm: float | None, batch_size: int
) -> str:
    """The source that the compiled engine makes for a network.

    Raises:
        EngineError: it can make none.
    """
    if (reason := compiled.supports(network, optimizer)) is not None:
        raise EngineError(reason)
    return compiled.emit(network, optimizer, clip_norm=clip_norm, batch_size=batch_size)
