"""A network that learns on with other settings: what the old one has learned goes into the new."""

from __future__ import annotations

from collections.abc import Sequence

from nnrun.nn.network import Network
from nnrun.nn.signature import Array
from nnrun.training.trainer import Trainer

Role = tuple[str, ...]


def carry(old: Trainer, new: Trainer) -> list[str]:
    """Continue training with another trainer, which has made no update yet.

    Weights, and the optimizer's memory of them, are kept in layers of the same shapes; hidden
    layers are counted from the input, the last one is always the output. Random numbers go on.

    Returns:
        The names of the layers that have fresh weights.
    """
    before, after = _layers(old.network), _layers(new.network)
    fresh: list[str] = []
    for role, names in after.items():
        source = before.get(role, {})
        if _shapes(new.network, names) != _shapes(old.network, source):
            fresh.append(role[0])
            continue
        for name, own in names.items():
            _copy(old, new, source[name], own)
    new.iteration = old.iteration
    new.optimizer.steps = old.optimizer.steps
    new.dropout.bit_generator.state = old.dropout.bit_generator.state
    _continue_order(old, new)
    new.last_good = new.snapshot()
    return fresh


def _layers(network: Network) -> dict[Role, dict[str, str]]:
    """By the role of each layer with parameters, their full names by their names within it."""
    last = str(len(network.blocks) - 1)
    found: dict[Role, dict[str, str]] = {}
    for name in [*network.parameters, *network.buffers]:
        place, _, own = name.rpartition(".")
        role = ("the output layer",) if place == last else (f"layer {place}",)
        found.setdefault(role, {})[own] = name
    return found


def _arrays(network: Network) -> dict[str, Array]:
    return {name: parameter.value for name, parameter in network.parameters.items()} | dict(
        network.buffers
    )


def _shapes(network: Network, names: dict[str, str]) -> dict[str, tuple[int, ...]]:
    arrays = _arrays(network)
    return {own: arrays[name].shape for own, name in names.items()}


def _copy(old: Trainer, new: Trainer, source: str, name: str) -> None:
    _arrays(new.network)[name][...] = _arrays(old.network)[source]
    if old.optimizer.type != new.optimizer.type or name not in new.network.parameters:
        return
    there, here = _slice(old.network, source), _slice(new.network, name)
    for memory, array in new.optimizer.state.items():
        if memory in old.optimizer.state:
            array[here] = old.optimizer.state[memory][there]


def _slice(network: Network, wanted: str) -> slice:
    """The place of a parameter in θ."""
    start = 0
    for name, parameter in network.parameters.items():
        if name == wanted:
            return slice(start, start + parameter.size)
        start += parameter.size
    raise KeyError(wanted)


def _continue_order(old: Trainer, new: Trainer) -> None:
    """The rows that follow, or a new epoch where rows or batches are others."""
    known, own = old.sampler, new.sampler
    same = (known.rows, known.batch_size, known.sampling)
    if same == (own.rows, own.batch_size, own.sampling):
        own.restore(known.state())
    else:
        own.move_to({"stream": known.rng.bit_generator.state, "used": 0})


def fresh_words(fresh: Sequence[str]) -> str:
    """Which layers have fresh weights, in a sentence."""
    if not fresh:
        return "All weights stay."
    *others, last = fresh
    named = f"{', '.join(others)} and {last}" if others else last
    return f"There are fresh weights in {named}."
