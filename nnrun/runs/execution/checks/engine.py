"""The check of a run's engine before it trains (see `nnrun.training.selfcheck`)."""

from __future__ import annotations

import numpy as np

from nnrun import __version__
from nnrun.engines.base import Batches
from nnrun.engines.sampling import Sampler
from nnrun.errors import EngineFaultError
from nnrun.runs.execution.environment import environment, one_thread
from nnrun.runs.preparation.prepared import Prepared
from nnrun.training.selfcheck import Disagreement, compare_engines
from nnrun.training.trainer import Trainer


def check_engine(prepared: Prepared, trainer: Trainer) -> None:
    """Compare the compiled engine with NumPy on the first batch, once for each compiled code.

    The trainer, which has made no update yet, is not changed.

    Raises: EngineFaultError if they differ beyond rounding, for this run or another of its config.
    """
    if trainer.engine.name == "numpy":
        return

    def compare() -> Disagreement | None:
        training, train = prepared.config.training, trainer.splits["train"]
        order = prepared.streams.order  # new: the run may have drawn
        sampler = Sampler(len(train), training.batch_size, training.sampling, rng=order)
        batches = Batches(*sampler.take(2), rates=np.zeros(2))
        with one_thread():
            return compare_engines(
                trainer.engine,
                trainer.network,
                trainer.optimizer,
                train.x,
                train.loss_target,
                batches=batches,
                dropout=trainer.dropout,
                clip_norm=training.clip_norm,
                losses=trainer.curve is not None,
            )

    found = prepared.cache.code.get("disagreement", compare)
    if found is not None:
        raise EngineFaultError(_message(found))


def _message(found: Disagreement) -> str:
    here = environment()
    return (
        "the compiled engine does not train this network as NumPy does: in the first batch "
        f"{found.what} is {found.found:.6g}, and by NumPy {found.expected:.6g}, where rounding "
        f"makes a difference of at most {found.rounding:.2g}. It would give wrong results, so "
        "there are none; training.engine=numpy gives right ones. This is a fault of nnrun: please "
        f"report it with this text and the config (nnrun {__version__}, Python {here['python']}, "
        f"NumPy {here['packages']['numpy']}, {here['platform']}, {here['cpu']})"
    )
