"""How much memory a run will take."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.data.dataset import Dataset
from nnrun.data.rows import available_memory, is_mapped
from nnrun.engines.selection import buffers
from nnrun.nn.network import Network, chunk_rows, once_for_each
from nnrun.runs.preparation.build import Mismatch
from nnrun.runs.preparation.config_cache import GridCache

# θ, its gradient, the optimizer's scratch and up to two moments, a checkpoint and the best weights.
_COPIES_OF_PARAMETERS = 8
# The average, that of a checkpoint, and θ while the average is evaluated in its place.
_COPIES_WITH_AVERAGE = _COPIES_OF_PARAMETERS + 3


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes for the parameters, for what layers hold of a batch, and for the data."""

    parameters: int
    activations: int
    data: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.parameters + self.activations + self.data


def estimate_memory(config: ExperimentConfig, network: Network, dataset: Dataset) -> MemoryEstimate:
    """A generous estimate from the shapes, where all networks of the run are like this one."""
    width = network.dtype.itemsize
    rows = len(dataset.x) + (0 if dataset.x_test is None else len(dataset.x_test))
    # Raw rows, unless they stay in their file, and the prepared ones in the network's dtype; of
    # each output the target, the prediction, and what metrics make of them.
    raw = 0 if is_mapped(dataset.x) else dataset.x.itemsize
    row = prod(dataset.shape) * raw + prod(network.input_shape) * width
    data = rows * (row + dataset.outputs * (32 + 2 * width))
    training = config.training
    batch = max(training.batch_size, min(chunk_rows(network), rows))
    optimizer = training.make_optimizer()
    more = buffers(training.engine, network, optimizer, batch_size=training.batch_size)
    copies = _COPIES_OF_PARAMETERS if training.average is None else _COPIES_WITH_AVERAGE
    copy = 2 * network.size * 8 if training.watch else 0  # in float64, with its gradient
    copies *= config.networks  # members that are done keep a checkpoint
    return MemoryEstimate(
        parameters=(network.size * copies + more) * width + copy,
        activations=_per_row(network) * batch * width,
        data=data,
    )


@once_for_each
def _per_row(network: Network) -> int:
    return sum(layer.activation_count for _, layer in network.named_layers())


def excess(
    config: ExperimentConfig, network: Network, estimate: MemoryEstimate, cache: GridCache
) -> Mismatch | None:
    """An error if the run cannot fit, at the key that takes most of the memory."""
    available = cache.get("memory", None, available_memory)
    if estimate.total <= available:
        return None
    parts = {
        ("network",): estimate.parameters,
        ("training", "batch_size"): estimate.activations,
        ("dataset",): estimate.data,
    }
    path = max(parts, key=lambda path: parts[path])
    if path == ("network",) and config.networks > 1:
        path = ("members",)
    if path == ("training", "batch_size") and config.training.batch_size < chunk_rows(network):
        path = ("network",)  # evaluations take the same number of rows regardless of the batch
    message = (
        f"this run would take about {human_bytes(estimate.total)} of memory "
        f"({human_bytes(estimate.parameters)} for parameters, "
        f"{human_bytes(estimate.activations)} for layers, {human_bytes(estimate.data)} for "
        f"data), and {human_bytes(available)} are free; {_REMEDIES[path[-1]]}"
    )
    return path, message


_REMEDIES = {
    "network": "use fewer units",
    "members": "use fewer members, or fewer units",
    "batch_size": "use a smaller batch_size, or fewer units",
    "dataset": "use fewer rows or features",
}


def human_bytes(count: float) -> str:
    """A number of bytes with its unit, such as `1.5 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:  # 999.7 is shown as the next unit
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
