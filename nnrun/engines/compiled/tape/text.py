"""A tape as text."""

from __future__ import annotations

from collections.abc import Iterator

from nnrun.engines.compiled.generated.text import title_lines
from nnrun.engines.compiled.tape.network import training
from nnrun.engines.compiled.tape.plan import ExecutionPlan
from nnrun.engines.compiled.tape.stages import EVERY_TASK, Op, Stage
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer


def emit(
    network: Network, optimizer: Optimizer, *, clip_norm: float | None, batch_size: int
) -> str:
    """The arrays, and the stages with the kernels that are called in each, for one batch."""
    plan = training(network, optimizer, clip_norm=clip_norm, batch_size=batch_size)
    return "\n".join([*_head(plan, network, optimizer), *_arrays(plan), *_stages(plan), ""])


def _head(plan: ExecutionPlan, network: Network, optimizer: Optimizer) -> Iterator[str]:
    yield from (f"# {line}" for line in title_lines(network, optimizer))
    yield f"# Batches of {plan.batch_size} rows at most, {plan.dtype.name}."
    yield "# Names that begin with @ are arrays of the engine's; + counts numbers from the first."


def _arrays(plan: ExecutionPlan) -> Iterator[str]:
    yield ""
    yield "arrays"
    width = max(map(len, plan.blocks))
    for name, size in plan.blocks.items():
        yield f"    {name:{width}}  {size:,}"


def _stages(plan: ExecutionPlan) -> Iterator[str]:
    for number, stage in enumerate(plan.all_stages, 1):
        yield ""
        yield f"stage {number}, {_tasks(stage)}"
        for op in stage.ops:
            yield from _op(op, stage)


def _tasks(stage: Stage) -> str:
    if stage.rows:
        return "tasks of 1 row" if stage.rows == 1 else f"tasks of {stage.rows} rows"
    return "1 task" if stage.tasks == 1 else f"{stage.tasks} tasks"


def _op(op: Op, stage: Stage) -> Iterator[str]:
    some = "" if op.limit in (EVERY_TASK, stage.tasks) else f"  (task 0 to {op.limit - 1})"
    yield f"    {op.kernel}  # {op.label}{some}"
    values = [f"{name}={value}" for name, value in op.values.items()]
    line = "       "
    for value in values:
        if len(line) + len(value) > 98:
            yield line
            line = "       "
        line += f" {value}"
    yield line
