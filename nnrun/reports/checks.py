"""The document of a checked config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from nnrun.nn.gradient_check import TOLERANCE, GradientCheck
from nnrun.reports.document import Block, Cell, Document, Grid, Note, Section, StatusMark
from nnrun.reports.numbers import count, number, plural
from nnrun.reports.run import network_table
from nnrun.reports.summary import data_line
from nnrun.runs.execution.rate_finder import RateCurve
from nnrun.runs.preparation.memory import MemoryEstimate, human_bytes


@dataclass(frozen=True)
class CheckedRun:
    """A valid config and the properties of its run.

    Args:
        file: the config's path as given.
        dataset: its name and `n_train`, `n_validation`, `n_test`, `n_features`.
        network: layers with shapes and parameters, as in report.json.
        engine_note: why this engine was chosen, where that needs a remark.
        gradients: the results of the gradient check; None without one.
        learning_rate: the result of the learning rate's range test; None without one.
        beside: the model of scikit-learn in place of a network, which has no memory estimate and
            no iterations; None for networks.
        warnings: about the data, the worst first, as in report.json.
    """

    file: str
    name: str
    description: str
    run_id: str
    dataset: dict[str, Any]
    network: dict[str, Any]
    memory: MemoryEstimate | None = None
    iterations: int = 0
    networks: int = 1
    batch_size: int = 0
    epochs: float = 0.0
    dtype: str = ""
    engine: str = ""
    gradients: Sequence[GradientCheck] | None = None
    learning_rate: RateCurve | None = None
    engine_note: str | None = None
    beside: str | None = None
    warnings: Sequence[dict[str, str]] = ()

    @property
    def gradients_agree(self) -> bool:
        """Whether all checked gradients are correct."""
        return all(check.passed for check in self.gradients or ())

    def to_dict(self) -> dict[str, Any]:
        """The check as JSON data."""
        memory = self.memory and {**asdict(self.memory), "total": self.memory.total}
        gradients = None
        if self.gradients is not None:
            gradients = [{**asdict(check), "passed": check.passed} for check in self.gradients]
        rate = self.learning_rate and asdict(self.learning_rate)
        fields = asdict(replace(self, learning_rate=None))
        return {**fields, "memory": memory, "gradients": gradients, "learning_rate": rate}


def check_document(run: CheckedRun) -> Document:
    """Everything about one config, but for its learning rate."""
    blocks: list[Block] = [] if run.beside else [network_table(run.network)]
    blocks.append(Note(data_line(run.dataset), label="data"))
    blocks += [Note(warning["message"], "warning", "warning") for warning in run.warnings]
    blocks.append(Note(training_line(run), label="training"))
    if run.memory is not None:
        blocks.append(Note(memory_line(run.memory), label="memory"))
    blocks.append(Note(f"{run.name}/{run.run_id}", label="run"))
    if run.gradients is not None:
        blocks.append(gradients_table(run.gradients))
    valid = StatusMark("valid", "valid")
    return Document(run.file, None, [Section("Run", blocks)], "", valid, run.description)


def training_line(run: CheckedRun) -> str:
    """Iterations, dtype and engine, in a line."""
    if run.beside is not None:
        return f"scikit-learn's '{run.beside}'"
    number_of = count(round(run.epochs)) if run.epochs >= 100 else f"{run.epochs:.3g}"
    epochs = f"{number_of} epoch" + ("" if run.epochs == 1 else "s")
    line = f"{plural(run.iterations, 'iteration')} of {plural(run.batch_size, 'row')} ({epochs})"
    line += f", {run.dtype}, {run.engine} engine"
    if run.networks > 1:
        line += f", for each of {run.networks} networks"
    return f"{line}; {run.engine_note}" if run.engine_note else line


def memory_line(memory: MemoryEstimate) -> str:
    """How much it takes, and what for."""
    total, parameters, layers, data = map(
        human_bytes, (memory.total, memory.parameters, memory.activations, memory.data)
    )
    return f"about {total} ({parameters} for parameters, {layers} for layers, {data} for data)"


def gradients_table(checks: Sequence[GradientCheck]) -> Grid:
    """How the gradient of each parameter array compares with a numerical one."""
    rows = [
        [
            Cell(check.name),
            *(Cell(count(n), n) for n in (check.entries, check.compared, check.skipped)),
            Cell(number(check.error), check.error),
            Cell("agree", kind="right") if check.passed else Cell("WRONG", kind="wrong"),
        ]
        for check in checks
    ]
    header = ["gradient of", "entries", "compared", "at a kink", "worst error", ""]
    return Grid("Gradients", header, rows, needs=[0, 2, 1, 3, 0, 0])


def gradient_failures(runs: Sequence[CheckedRun]) -> str:
    """Every gradient that is wrong, with both numbers."""
    lines = [
        f"{run.file}: {check.name}: {_failure(check)}"
        for run in runs
        for check in run.gradients or ()
        if not check.passed
    ]
    return "\n".join(["gradients are wrong", *lines])


def _failure(check: GradientCheck) -> str:
    if check.error <= TOLERANCE:
        entries = check.skipped + check.compared
        return f"{check.skipped} of {entries} entries lie at kinks, too many for a result"
    return (
        f"backpropagated {check.backpropagated:.10g}, numerical {check.numerical:.10g}, "
        f"relative error {check.error:.2e} (at most {TOLERANCE:g})"
    )
