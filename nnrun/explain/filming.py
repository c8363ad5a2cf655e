"""Training a run once more, in memory, to see what its network computes on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from nnrun.explain.film import Film, film_of
from nnrun.explain.surfaces import has_surfaces
from nnrun.models.weights import weights_of
from nnrun.nn.signature import Array
from nnrun.runs.execution.callbacks import Callbacks
from nnrun.runs.execution.execute import Execution
from nnrun.runs.preparation.prepared import Prepared
from nnrun.training.state import HistoryRow
from nnrun.training.trainer import Trainer
from nnrun.training.watching.watch import MOST_PARAMETERS, Spread

_MOST_KEPT = 24
# Training ends after about this many multiplications and additions, some two seconds; an update
# takes at least the time of so many of them.
_MOST_WORK, _UPDATE = 4e9, {"compiled": 2_000, "numpy": 100_000}


def filmed_training(prepared: Prepared) -> Film | None:
    """Train a run once more, in memory, and show it on the way; its bits are those of any run.

    None if there is nothing to show. Ends early, with a note, where training would take long.
    """
    network = prepared.network
    if network.size > MOST_PARAMETERS or not has_surfaces(prepared.dataset.layout):
        return None
    execution, until = Execution(prepared), _longest(prepared)
    trainer = execution.trainer
    if until is not None and trainer.stopping is None and not trainer.schedule.follows_loss:
        # Nothing depends on evaluations, and those of the run may be far apart.
        trainer.evaluate_every = -(-until // _MOST_KEPT)
    kept = Spread[Mapping[str, Array]](trainer.evaluate_every, _MOST_KEPT)
    kept.add(0, weights_of(network))

    def evaluated(row: HistoryRow) -> bool:
        iteration = int(row["iteration"])
        if kept.wants(iteration):
            kept.add(iteration, weights_of(network))
        return False

    execution.train(Callbacks(evaluated=evaluated, until=until))
    last, notes = _ending(trainer)
    # Kept in any case, also if this moment was kept before.
    kept.found[last] = weights_of(network)
    film = film_of(prepared, prepared.dataset, prepared.split.train, sorted(kept.found.items()))
    return None if film is None else replace(film, notes=notes)


def _ending(trainer: Trainer) -> tuple[int, list[str]]:
    """The iteration that the network's weights are of, and what is unusual about them."""
    last, planned, found = trainer.iteration, trainer.iterations, trainer.divergence
    if found is not None:
        kept = found.last_good_iteration if found.cause == "not_finite" else last
        return kept, [f"training diverges at iteration {found.iteration:,}"]
    if trainer.goes_on:
        return last, [f"training anew ends at iteration {last:,} of {planned:,}: it takes long"]
    if trainer.best:
        return last, ["at the end the best weights are put back, as in training"]
    return last, []


def _longest(prepared: Prepared) -> int | None:
    """The iteration after which training anew takes too long; None if it ends before."""
    flops = sum(layer.flops for layer in prepared.network.steps)
    rows = sum(map(len, prepared.examples.values()))
    update = 3 * flops * prepared.config.training.batch_size + _UPDATE[prepared.engine]
    evaluation = flops * (prepared.evaluate_rows or rows) / prepared.evaluate_every
    most = int(_MOST_WORK / (update + evaluation))
    return None if most >= prepared.iterations else max(1, most)
