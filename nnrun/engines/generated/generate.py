"""Source of the function that trains a network by its optimizer."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import prod

import numpy as np

from nnrun.compiler.arguments import ARGUMENTS
from nnrun.engines import allocation
from nnrun.engines.base import UNITS
from nnrun.engines.formulas import (
    OPTIMIZERS,
    OptimizerFormula,
    formula_name,
    is_plain,
    weight_decay,
)
from nnrun.engines.generated.passes import Passes
from nnrun.engines.generated.program import ArraySlice, Program, Row, Text, title_lines, words
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array

# The update as source text: L2 penalty, clipping, the optimizer's step on all parameters together.
#
# The penalty is α / 2 · Σ w² / rows, and its gradient α w / rows.


def step(p: Program, network: Network, optimizer: Optimizer, size: int) -> tuple[str, ...]:
    """Write the optimizer's step by its formula, and the average; returns the vectors' names."""
    formula = OPTIMIZERS[formula_name(optimizer)]
    p.comment(optimizer.type)
    apart = _decay_apart(p, network, optimizer)
    numbers = formula.numbers(optimizer) | ({"decay": 0.0} if apart else {})
    known = {name: f"real({value!r})" for name, value in numbers.items()}
    known |= _corrections(p, formula, optimizer)
    known |= {name: f"{name}[j]" for name in formula.state}
    known |= {"g": "g", "theta": "all_theta[j]", "rate": "rate"}
    average = optimizer.average
    if average is not None:
        share = f"max({1 - average.ema!r}, 9.0 / (10.0 + double(steps + k)))"
        p.line(f"share = real({share})")
    with p.loop("j", size):
        p.line("g = all_gradient[j]")
        if weight_decay(optimizer) and not apart:
            p.line(f"g += all_theta[j] * real({weight_decay(optimizer)!r})")
        for name, text in formula.update:
            value = _with_inverses(formula, text).format(**known)
            known[name] = "all_theta[j]" if name == "theta" else f"new_{name}"
            p.line(f"{known[name]} = {value}")
        for name in formula.state:
            p.line(f"{name}[j] = new_{name}")
        if average is not None:
            p.line("average[j] += (all_theta[j] - average[j]) * share")
    return formula.state if average is None else (*formula.state, "average")


def _decay_apart(p: Program, network: Network, optimizer: Optimizer) -> bool:
    """Write the decay in loops of its own, before the step, if some parameters have none."""
    if not optimizer.spared(network):
        return False
    decay = getattr(optimizer, "weight_decay", 0.0)
    for start, size in map(p.extent, network.weights):
        with p.loop("j", start, start + size):
            if optimizer.decoupled:
                p.line(f"all_theta[j] -= all_theta[j] * (rate * real({decay!r}))")
            else:
                p.line(f"all_gradient[j] += all_theta[j] * real({decay!r})")
    return True


def _corrections(p: Program, formula: OptimizerFormula, optimizer: Optimizer) -> dict[str, str]:
    """Write the corrections of step number `step` since the beginning; their names."""
    if formula.corrections:
        p.line("step = double(steps + k + 1)")
    for name, correction in formula.corrections.items():
        rest = _rest(p, getattr(optimizer, correction.beta))
        value = f"1.0 / sqrt({rest})" if correction.root else f"rates[k] / {rest}"
        p.line(f"{name} = real({value})")
    return {name: name for name in formula.corrections}


def _with_inverses(formula: OptimizerFormula, text: str) -> str:
    """The text with products by the inverses of roots."""
    for name, correction in formula.corrections.items():
        if correction.root:
            text = text.replace(f"/ {{{name}}}", f"* {{{name}}}")
    return text


def logarithm(beta: float) -> float:
    """ln β to the last bit, which is not left to a C library."""
    return float(Decimal(beta).ln())


def _rest(p: Program, beta: float) -> str:
    """1 - βᵗ as 1 - exp(t ln β): a power would be the C library's."""
    if not beta:
        return "1.0"
    return f"{p.call('one_minus_exp', double=True)}(step * {logarithm(beta)!r})"


def clip(p: Program, limit: float, size: int, lanes: int) -> None:
    """A gradient longer than the limit is scaled down to it; `squares` holds its square's parts.

    A sum of squares that overflows or is lost to underflow is computed again in another unit
    (`engines/base.py`).
    """
    units = UNITS[p.dtype.name]
    p.comment(f"clip the gradient to a length of {limit}")
    _sum_squares(p, "all_gradient[i + j]", size, lanes)
    p.line("shrunk = one")
    with p.block(f"if total > {units.most!r}:"):
        p.line(f"shrunk = real({1 / units.large!r})")
    with p.block(f"if total < {units.least!r}:"):
        p.line(f"shrunk = real({1 / units.small!r})")
    with p.block("if shrunk != one:"):
        _sum_squares(p, "all_gradient[i + j] * shrunk", size, lanes)
    p.line("norm = sqrt(total)")
    with p.block(f"if norm > {limit!r} * double(shrunk):"):
        p.line(f"factor = real({limit!r} / norm)")
        with p.loop("j", size):
            p.line("all_gradient[j] = all_gradient[j] * shrunk * factor")


def _sum_squares(p: Program, number: str, size: int, lanes: int) -> None:
    """Σ number² over the gradient, as `total`."""
    with p.loop("j", lanes):
        p.line("squares[j] = zero")
    with p.loop("i", 0, size, lanes), p.loop("j", lanes):
        p.line(f"g = {number}")
        p.line("squares[j] += g * g")
    p.line("total = double(0)")
    with p.loop("j", lanes):
        p.line("total += double(squares[j])")


def penalise(p: Program, network: Network, *, losses: bool) -> None:
    """Add the penalty's gradient to the batch's and, with `losses`, the penalty to the loss."""
    if network.penalty is None:
        return
    extents = [p.extent(weight) for weight in network.weights]
    p.comment("L2 penalty")
    p.line(f"shrink = real({network.penalty.alpha!r} / double(n))")
    for start, size in extents:
        with p.loop("j", start, start + size):
            p.line("all_gradient[j] += all_theta[j] * shrink")
    if not losses:
        return
    p.array("weights", (p.lanes,))
    with p.loop("j", p.lanes):
        p.line("weights[j] = zero")
    for start, size in extents:
        with p.loop("i", start, start + size, p.lanes), p.loop("j", p.lanes):
            p.line("weights[j] += all_theta[i + j] * all_theta[i + j]")
    p.line("cost_of_weights = double(0)")
    with p.loop("j", p.lanes):
        p.line("cost_of_weights += double(weights[j])")
    p.line(f"losses[k] += cost_of_weights * {network.penalty.alpha / 2!r} / double(n)")


@dataclass(frozen=True)
class Generated:
    """Source, and what the engine needs to call it.

    Args:
        source: of a module with one function, `train`.
        program: the layout of its memory.
        x: the layout of input rows.
        state: names of the optimizer's vectors, in their order in memory.
        positions: of the network's parameters in the block theta.
    """

    source: str
    program: Program
    x: Row
    state: tuple[str, ...]
    positions: Array


def generate(
    network: Network,
    optimizer: Optimizer,
    *,
    clip_norm: float | None,
    single: bool,
    losses: bool = False,
) -> Generated:
    """Write the training function of a network, which also evaluates it.

    With `single` all batches are of one row; with `losses` training writes the loss of every batch,
    before its update.
    """
    simple = is_plain(optimizer) and clip_norm is None and network.penalty is None
    simple = simple and optimizer.average is None
    p = Program(network.dtype, plain=simple, single=single)
    x = _input(p, network)
    passes = Passes(p, network, x, losses=losses)
    state: tuple[str, ...] = ()
    with p.block("for k in range(count):"):
        p.line("rate = real(rates[k])")
        if p.direct:
            with p.training():
                p.comment("draw a row of the next block while the update is computed")
                with p.block("if bound > 1:"):
                    p.line("fresh[k] = below(stream, bound)")
            p.line("n, r = 1, 0")
        else:
            p.line("start = bounds[k]")
            p.line("n = bounds[k + 1] - start")
        if p.drawn:
            before = "k" if p.direct else "(start - bounds[0])"
            p.line(f"drawn = {before} * {p.drawn}")
        if not p.direct:
            with p.training(), p.loop("j", p.size("theta")):
                p.line("all_gradient[j] = zero")
        passes.write()
        if not p.direct:
            with p.training():
                state = _update(p, network, optimizer, clip_norm, losses)
    positions = [p.positions[id(parameter)] for parameter in network.parameters.values()]
    return Generated(_module(p, network, optimizer), p, x, state, np.concatenate(positions))


def emit(
    network: Network, optimizer: Optimizer, *, clip_norm: float | None, batch_size: int
) -> str:
    """The source that would be compiled."""
    return generate(network, optimizer, clip_norm=clip_norm, single=batch_size == 1).source


def _input(p: Program, network: Network) -> Row:
    """Rows are padded to whole vector registers, unless a convolution reads them."""
    size = prod(network.input_shape)
    exact = bool(network.active_layers) and network.active_layers[0].type == "convolution"
    image = network.input_shape if len(network.input_shape) == 3 else None
    stride = size if exact else p.padded(size)
    outputs = prod(network.output_shape)
    p.input("t", "targets", outputs, network.target_size, None)
    p.input("out", "outputs", outputs, outputs, None)
    return p.input("x", "inputs", size, stride, image)


def _update(
    p: Program, network: Network, optimizer: Optimizer, clip_norm: float | None, losses: bool
) -> tuple[str, ...]:
    size = p.size("theta")
    p.places.append(ArraySlice("all_theta", "theta", 0, (size,)))
    p.places.append(ArraySlice("all_gradient", "gradient", 0, (size,)))
    penalise(p, network, losses=losses)
    if clip_norm is not None:
        p.array("squares", (4 * p.lanes,))
        clip(p, clip_norm, size, 4 * p.lanes)
    names = step(p, network, optimizer, size)
    for index, name in enumerate(names):
        p.places.append(ArraySlice(name, "state", index * size, (size,)))
    return names


def _module(p: Program, network: Network, optimizer: Optimizer) -> str:
    """The module: imports, constants, and `train` with its arrays and its loop."""
    used = words(p.lines)
    used |= {held.partition("[")[0] for _, held in p.registers}
    head, body = Text(), Text(depth=1)
    title = "\n".join(title_lines(network, optimizer))
    for line in f'"""{title}"""'.splitlines():
        head.line(line)
    package = "nnrun.engines"
    for line in (
        "",
        "import numpy as np",
        "",
        f"from {package}.functions import functions",
        "from nnrun.compiler.code import double, sqrt",
        "from nnrun.compiler.code import dot, view",
        *([f"from {package}.kernels.loops import below"] if p.direct else []),
        "",
    ):
        head.line(line)
    head.line(f"real = np.{network.dtype.name}")
    head.line("zero, one = real(0), real(1)")
    for name in sorted(p.functions):
        head.line(f'{name} = functions("{network.dtype.name}").{name}')
    for name in sorted(p.doubles):
        head.line(f'double_{name} = functions("float64").{name}')
    head.line("")
    head.line("")
    head.line(f"def train({', '.join(ARGUMENTS)}):")
    for place in p.places:
        if place.name in used:
            body.line(place.view())
    for variable, held in p.registers:
        body.line(f"{variable} = {held}")
    tail = Text(depth=1)
    for variable, held in p.registers:
        tail.line(f"{held} = {variable}")
    return "\n".join([*head.lines, *body.lines, *p.lines, *tail.lines, ""])


class Blocks:
    """The blocks that `Program` describes.

    The generated code has its own order of the parameters (see the emitters of the layers), so
    they are copied in before some iterations, and back after them.
    """

    def __init__(self, code: Generated, network: Network, optimizer: Optimizer) -> None:
        self.code = code
        self.network = network
        self.optimizer = optimizer
        program, dtype = code.program, network.dtype
        size = program.size("theta")
        states = len(code.state) * size
        self.theta = allocation.unwritten(size, dtype)
        self.gradient = allocation.unwritten(1 if program.direct else size, dtype)
        self.state = allocation.unwritten(states, dtype)
        self.values = allocation.unwritten(program.size("values"), dtype)
        program.clear_around(self.values)
        own = {"theta": self.theta, "gradient": self.gradient, "state": self.state}
        self._addresses = {name: allocation.address(array) for name, array in own.items()}
        self.values_address = allocation.address(self.values)
        self._state_parts = [
            (name, self.state[index * size : (index + 1) * size])
            for index, name in enumerate(code.state)
        ]

    @property
    def addresses(self) -> dict[str, int]:
        """The address of each block, by the name of the function's argument."""
        return {**self._addresses, "values": self.values_address}

    def gather(self) -> None:
        """Copy parameters, the optimizer's arrays in."""
        positions, vectors = self.code.positions, self.optimizer.vectors
        # Padding may hold NaN from a run that diverged.
        self.theta.fill(0)
        self.state.fill(0)
        self.theta[positions] = self.network.theta
        for name, part in self._state_parts:
            part[positions] = vectors[name]

    def scatter(self) -> None:
        """Copy them back."""
        positions, vectors = self.code.positions, self.optimizer.vectors
        self.network.theta[...] = self.theta[positions]
        for name, part in self._state_parts:
            vectors[name][...] = part[positions]
