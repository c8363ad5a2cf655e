"""Training one prepared run, in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np

from nnrun import __version__
from nnrun.config.names import SPLITS
from nnrun.data.dataset import Dataset
from nnrun.data.preprocessing.pipeline import Preprocessing
from nnrun.engines.selection import build_engine, why_not_compiled
from nnrun.models.task import Task
from nnrun.models.weights import weights_of, weights_sha256
from nnrun.nn.network import Network
from nnrun.nn.signature import Array
from nnrun.runs.diagnosis import (
    DiagnosisInput,
    Diagnostic,
    about_held_out,
    diagnose,
    diagnose_divergence,
)
from nnrun.runs.execution.callbacks import Callbacks
from nnrun.runs.execution.environment import environment, one_thread
from nnrun.runs.execution.record_builder import (
    compare_published,
    describe_dataset,
    describe_divergence,
    describe_model,
    describe_network,
    describe_timing,
    published_of,
)
from nnrun.runs.execution.selfcheck import check_engine
from nnrun.runs.metrics import Metrics, baseline_of, metrics_of
from nnrun.runs.preparation.prepare import Prepared
from nnrun.runs.record import RunRecord, RunResult, Status
from nnrun.training.early_stopping import EarlyStopping
from nnrun.training.examples import PreparedSplit
from nnrun.training.loss_curve import LossCurve
from nnrun.training.sampling import Sampler
from nnrun.training.state import TrainingState
from nnrun.training.streams import Streams
from nnrun.training.trainer import Progress, Trainer

# Causes that the error of a diverged run tells; its report has all of them.
_CAUSES_TOLD = 2


class Execution:
    """One run being trained.

    Args:
        prepared: what to train.
        checkpoint: where an earlier execution of the same run was interrupted.
        extended_from: the shorter run that it goes on from, as its report is to say.
        control: its `note` and `wait` are told what there is to know before training begins.
        checked: whether its engine was found to compute what NumPy does before.

    Raises:
        EngineFaultError: the compiled engine does not compute what NumPy does.
    """

    def __init__(
        self,
        prepared: Prepared,
        checkpoint: TrainingState | None = None,
        extended_from: dict[str, Any] | None = None,
        control: Callbacks | None = None,
        *,
        checked: bool = False,
    ) -> None:
        self.extended_from = extended_from
        self.prepared = prepared
        self.started = datetime.now(UTC).isoformat(timespec="seconds")
        self.network: Network = prepared.network()
        self.preprocessing: Preprocessing = prepared.preprocessing()
        self.task: Task = self._task()
        self.examples: dict[str, PreparedSplit] = prepared.examples(
            self.network, self.preprocessing, self.task
        )
        self.baseline = self._baseline()
        self.trainer = self._trainer(control or Callbacks())
        if not checked:
            check_engine(prepared, self.trainer)
        if checkpoint is not None:
            self.trainer.restore(checkpoint)

    def run(self, control: Callbacks) -> RunResult:
        """Train to the end, or to where `control` stops it."""
        with one_thread():
            interrupted = self._train(control)
            if interrupted:
                return self._result("interrupted", "stopped before its end; it can go on from here")
            if self.trainer.divergence is not None:
                causes = diagnose_divergence(self._case({}, {}))
                text = describe_divergence(
                    self.prepared.config, self.trainer.divergence, causes[:_CAUSES_TOLD]
                )
                return self._result("diverged", text, causes)
            return self._result("completed", None)

    def train(self, control: Callbacks) -> bool:
        """Train without a report at the end; whether `control` stopped it."""
        with one_thread():
            return self._train(control)

    def _train(self, control: Callbacks) -> bool:
        control.start(self.trainer.iteration)
        progress: Iterator[Progress] = self.trainer.run()
        for state in progress:
            control.observe(state)
            if state.iteration < state.total and control.stop():
                return True
            control.checkpoint(self.trainer.state)
        return False

    def _task(self) -> Task:
        return self.prepared.task(self.network, self.preprocessing)

    def _curve(self) -> LossCurve | None:
        """What follows the losses of batches; nothing, unless they are of interest."""
        return None

    def _trainer(self, control: Callbacks) -> Trainer:
        config, train = self.prepared.config.training, self.examples["train"]
        curve = self._curve()
        streams = Streams.of(self.prepared.config.seed)
        self.network.initialize(rng=streams.weights)
        self.network.reuse_memory()
        optimizer = config.optimizer.build()
        optimizer.allocate(self.network.theta)
        if reason := why_not_compiled(config.engine, self.network):
            control.note(reason)
        engine = build_engine(
            self.prepared.engine(self.network),
            self.network,
            optimizer,
            train.x,
            train.target,
            rng=streams.dropout,
            clip_norm=config.clip_norm,
            batch_size=config.batch_size,
            losses=curve is not None,
            threads=control.threads,
            wait=control.wait,
            compiled_functions=self.prepared.common.get(
                f"made for {self.network.input_shape}", dict
            ),
        )
        sampler = Sampler(len(train), config.batch_size, config.sampling, rng=streams.order)
        return Trainer(
            network=self.network,
            optimizer=optimizer,
            engine=engine,
            sampler=sampler,
            schedule=self.prepared.schedule(),
            dropout=streams.dropout,
            parts=self.examples,
            task=self.task,
            iterations=self.prepared.iterations,
            evaluate_every=self.prepared.evaluate_every,
            baseline=(self.baseline["train"] or {}).get("loss") or 0.0,
            stopping=self._stopping(),
            curve=curve,
        )

    def _stopping(self) -> EarlyStopping | None:
        config = self.prepared.config.training.early_stopping
        if config is None:
            return None
        larger = config.monitor == f"validation_{self.task.main_metric}"
        return EarlyStopping(
            monitor=config.monitor,
            larger_is_better=larger and self.task.larger_is_better,
            patience=config.patience,
            restore_best=config.restore_best,
        )

    def _result(
        self, status: Status, error: str | None, findings: Sequence[Diagnostic] = ()
    ) -> RunResult:
        found = self.trainer.divergence
        sound = found is None or found.cause != "not_finite"
        metrics = self._metrics(sound)
        dataset = describe_dataset(self.prepared, self.examples)
        if status == "completed":
            outputs = {name: self.trainer.evaluate(name)[1] for name in self.examples}
            findings = [*diagnose(self._case(outputs, metrics)), *about_held_out(dataset)]
        weights = weights_of(self.network) if sound else None
        record = RunRecord(
            name=self.prepared.config.name,
            run_id=self.prepared.run_id,
            status=status,
            error=error,
            task=self.prepared.dataset.task,
            config=self.prepared.config_dict,
            seed=self.prepared.config.seed,
            dataset=dataset,
            network=describe_network(self.prepared.config, self.network),
            metrics=metrics,
            baseline=self.baseline,
            published=compare_published(published_of(self.prepared.config), metrics),
            timing=describe_timing(self.trainer),
            engine=self.trainer.engine.name,
            environment={**environment(), **self.trainer.engine.surroundings},
            weights_sha256=None if weights is None else weights_sha256(weights),
            started=self.started,
            main_metric=self.task.main_metric,
            description=self.prepared.config.description,
            extended_from=self.extended_from,
            nnrun_version=__version__,
            warnings=[finding.to_dict() for finding in findings],
            **self._ending(),
        )
        checkpoint = self.trainer.state() if status == "interrupted" else None
        metadata = describe_model(self.prepared, self.network, self.preprocessing)
        ending = self.trainer.ending() if status == "completed" else None
        return RunResult(record, self.trainer.history, weights, metadata, checkpoint, ending)

    def _ending(self) -> dict[str, Any]:
        stopping, found = self.trainer.stopping, self.trainer.divergence
        return {
            "best_iteration": stopping.best_iteration if stopping else None,
            "stopped_early": self.trainer.stopped_early,
            "divergence": asdict(found) if found else None,
        }

    def _metrics(self, sound: bool) -> dict[str, Metrics | None]:
        return {
            name: self._metrics_of(name) if sound and name in self.examples else None
            for name in SPLITS
        }

    def _metrics_of(self, name: str) -> Metrics:
        loss, outputs = self.trainer.evaluate(name)
        return metrics_of(self.task, loss, outputs, self.examples[name].y)

    def _case(
        self, outputs: dict[str, Array], metrics: dict[str, Metrics | None]
    ) -> DiagnosisInput:
        """What a diagnosis is made from; without outputs, where there are none of use."""
        trainer = self.trainer
        first = trainer.schedule.rates(np.zeros(1), trainer.iterations)
        return DiagnosisInput(
            config=self.prepared.config,
            task=self.task,
            features=_column_names(self.prepared.dataset),
            examples=self.examples,
            outputs=outputs,
            metrics=metrics,
            baseline=self.baseline,
            history=trainer.history,
            network=self.network,
            peak_rate=max([float(first[0]), *(row["learning_rate"] for row in trainer.history)]),
            iterations=trainer.iteration,
        )

    def _baseline(self) -> dict[str, Metrics | None]:
        loss, train = self.prepared.config.loss.build(), self.examples["train"]
        return {
            name: baseline_of(self.task, loss, train, self.examples[name])
            if name in self.examples
            else None
            for name in SPLITS
        }


def _column_names(dataset: Dataset) -> Sequence[str]:
    if len(dataset.shape) > 1:
        return ()
    return dataset.feature_names or [f"column {index + 1}" for index in range(dataset.shape[0])]
