"""A network's tape: what is done to a batch in training, and to rows in evaluation."""

from __future__ import annotations

from collections.abc import Iterator

from nnrun.engines.compiled.activations import POINTWISE
from nnrun.engines.compiled.optimizers import plain
from nnrun.engines.compiled.tape.arrays import NO_BORDER, Address, Border, Map
from nnrun.engines.compiled.tape.layers import EMITTERS, Convolution, Emitter, MatMul
from nnrun.engines.compiled.tape.losses import add_gradient, add_values
from nnrun.engines.compiled.tape.plan import Plan
from nnrun.engines.compiled.tape.updates import add_update
from nnrun.nn.layer import Layer
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer


def training(
    network: Network,
    optimizer: Optimizer,
    *,
    clip_norm: float | None,
    batch_size: int,
    losses: bool = False,
) -> Plan:
    """One update for each batch; with `losses` each row's loss before it is told."""
    descends = plain(optimizer) and clip_norm is None
    plan = Plan(network.dtype, batch_size, descends, training=True)
    plan.shared("ones", 1)
    x, target = _gather(plan, network)
    layers = _emitters(plan, network, x)
    for layer in layers:
        _labelled(layer).forward()
    plan.label = network.loss.type
    dy = add_gradient(plan, network.loss, layers[-1].y, target, losses)
    learning = [bool(layer.layer.parameters) for layer in layers].index(True)
    for layer in reversed(layers[learning:]):
        dy = _labelled(layer).backward(dy)
    add_update(plan, optimizer, clip_norm)
    return plan


def evaluation(network: Network, batch_size: int) -> Plan:
    """Losses and outputs of rows, so many at a time."""
    plan = Plan(network.dtype, batch_size, descends=True, training=False)
    x, target = _gather(plan, network)
    layers = _emitters(plan, network, x)
    for layer in layers:
        _labelled(layer).forward()
    plan.label = network.loss.type
    add_values(plan, network.loss, layers[-1].y, target, network.head)
    return plan


def _labelled(emitter: Emitter) -> Emitter:
    emitter.plan.label = f"{emitter.tag}: {emitter.layer.type}"
    return emitter


def _gather(plan: Plan, network: Network) -> tuple[Map, Map]:
    """The rows of a batch and their targets, in the forms that the layers take."""
    plan.label = "batch"
    steps = list(_steps(network, plan.training))
    shape = network.input_shape
    if len(shape) == 3:
        exact = EMITTERS[steps[0][0].type].any_channels
        x = plan.image("x", (shape[0], shape[1], shape[2]), _border(steps, 0), exact=exact)
        _add_gather(plan, "@x", x, x.named("x"), x.shape)
    else:
        x = plan.vector("x", shape[0])
        _add_gather(plan, "@x", x, *_as_line(x, "x"))
    target = plan.vector("t", _outputs(network))
    _add_gather(plan, "@target", target, *_as_line(target, "x"))
    return x, target


def _outputs(network: Network) -> int:
    size = 1
    for side in network.output_shape:
        size *= side
    return size


def _as_line(x: Map, name: str) -> tuple[dict[str, Address | int], dict[str, int]]:
    """A vector as an image of one line, whose numbers are copied as they stand."""
    line = {**x.rows(name), f"{name}_line": x.row, f"{name}_pixel": 1}
    return line, {"channels": 1, "height": 1, "width": x.size}


def _add_gather(
    plan: Plan, data: str, x: Map, place: dict[str, Address | int], shape: dict[str, int]
) -> None:
    order = Address("@rows") if plan.training else 0
    plan.by_rows("gather", order=order, data=Address(data), data_row=x.size, **place, **shape)


def _steps(network: Network, training: bool) -> Iterator[tuple[Layer, str, bool]]:
    """The layers in the order in which they are computed, their tags, and whether in place.

    Of max-pooling after a rising function the pooling comes first: the function is then of fewer
    numbers.
    """
    tags = {id(layer): str(index) for index, block in enumerate(network.blocks) for layer in block}
    layers = list(network.trunk)
    for i in range(len(layers) - 1):
        rises = layers[i].type in POINTWISE and POINTWISE[layers[i].type].rises
        if rises and layers[i + 1].type == "max_pool2d":
            layers[i : i + 2] = layers[i + 1], layers[i]
    is_needed = False  # what the last layer has put out, by its way back
    for layer in layers:
        emitter = EMITTERS[layer.type]
        can = emitter.overwrites(layer, training)
        yield layer, tags[id(layer)], can and not (emitter.needs_y and is_needed and training)
        is_needed = emitter.needs_y or (can and is_needed)


def _border(steps: list[tuple[Layer, str, bool]], start: int) -> Border:
    """The border that an array needs which the layers from `start` on read."""
    for layer, _, in_place in steps[start:]:
        if not in_place:
            return EMITTERS[layer.type].wants(layer)
    return NO_BORDER


def _emitters(plan: Plan, network: Network, x: Map) -> list[Emitter]:
    steps = list(_steps(network, plan.training))
    learning = [bool(layer.parameters) for layer, *_ in steps].index(True)
    made: list[Emitter] = []
    for index, (layer, tag, in_place) in enumerate(steps):
        last = made[-1] if made else None
        if layer.type == "bias" and isinstance(last, MatMul | Convolution) and last.bias is None:
            last.merge(layer, tag)
            continue
        following = index + 1
        is_merged = following < len(steps) and steps[following][0].type == "bias"
        if is_merged and EMITTERS[layer.type] in (MatMul, Convolution):
            following += 1
        emitter = EMITTERS[layer.type](
            plan,
            layer,
            tag,
            x,
            border=_border(steps, following),
            in_place=in_place,
            needs_dx=index > learning,
        )
        made.append(emitter)
        x = emitter.y
    return made
