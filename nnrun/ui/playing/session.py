"""One network in training, in memory, in small steps; for one page of a browser."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from threading import Lock
from time import perf_counter

from nnrun.config.yaml.dump import dump
from nnrun.errors import UsageError
from nnrun.runs.diagnosis import describe_divergence
from nnrun.runs.execution.environment import run_arithmetic
from nnrun.runs.execution.execute import Execution
from nnrun.runs.preparation.beside import PreparedBeside
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.preparation.prepared import Prepared
from nnrun.training.divergence import LOSS_FACTOR
from nnrun.training.replay import find_divergence
from nnrun.training.state import HistoryRow
from nnrun.training.trainer import Trainer
from nnrun.ui.playing.carry import carry, fresh_words
from nnrun.ui.playing.edits import WORDS, Edits, edited, experiment_of, values_of
from nnrun.ui.playing.start import Plain, Start

SECONDS = 0.1
"""How long the updates of one request may take."""
MOST_PARAMETERS, MOST_ROWS, MOST_BLOCKS = 20_000, 10_000, 40
_GROWTH = 8

# The number of BLAS threads is set for the whole process, so one session trains at a time.
_training = Lock()


class Session:
    """A network in training whose settings can change on the way.

    It is for one thread at a time: hold `lock` around calls that belong together.

    Raises: NnrunError if the config cannot be trained, or is too large for a page.
    """

    def __init__(self, start: Start, edits: Edits | None = None) -> None:
        self.lock = Lock()
        self.start = start
        self.edits: Plain = dict(edits or {})
        self.changes: list[str] = []
        """What has changed since iteration 0, a line for each setting."""
        self.epoch = 0.0
        self.restart()

    @property
    def iteration(self) -> int:
        """The number of updates so far."""
        return self.trainer.iteration

    @property
    def values(self) -> Plain:
        """The current values of all settings."""
        return values_of(self.prepared.config_dict)

    @property
    def config(self) -> Plain:
        """The config that makes what the page shows, unless `changes` has entries."""
        return edited(self.start, self.edits)

    def evaluate(self) -> HistoryRow:
        """The losses of all splits, as a row of a run's history."""
        with _training, run_arithmetic():
            return self.trainer.evaluate_splits()

    def advance(self, updates: int, seconds: float = SECONDS) -> None:
        """Make updates until there are this many, or this time is over; at least one."""
        goal, steps = self.iteration + updates, 1
        with _training, run_arithmetic():
            begun = perf_counter()
            end = begun + seconds
            while self.iteration < goal and begun <= end:
                made = min(steps, goal - self.iteration)
                self.trainer.update(made)
                self.epoch += made / self.trainer.sampler.batches_per_epoch
                spent = max(perf_counter() - begun, 1e-6)
                steps = max(1, int(made * min(_GROWTH, (end - begun - spent) / spent / 2)))
                begun += spent
            self._judge()

    def change(self, edits: Edits) -> str:
        """Continue with other settings; another seed starts over.

        Returns:
            What has become of the weights, in a sentence.

        Raises: NnrunError if the config cannot be trained so; nothing has changed then.
        """
        wanted, before, old = {**self.edits, **edits}, self.values, self.trainer
        prepared, trainer = _built(self.start, wanted)
        now = values_of(prepared.config_dict)
        changed = [name for name in WORDS if now[name] != before[name]]
        begins = old.iteration == 0 or "seed" in changed
        fresh = [] if begins else carry(old, trainer)
        self.edits = wanted
        if begins:
            self.changes, self.epoch = [], 0.0
        self._set(prepared, trainer)
        told = "; ".join(f"{WORDS[name]} {shown(now[name])}" for name in changed)
        if begins:
            return f"Training begins with {told}." if changed else ""
        at = f"iteration {old.iteration:,}"
        for name in changed:
            was, new = shown(before[name]), shown(now[name])
            self.changes.append(f"{at}: {WORDS[name]} {was} -> {new}")
        return f"From {at} on: {told}. {fresh_words(fresh)}" if changed else ""

    def restart(self) -> None:
        """Start over at iteration 0 with the current settings."""
        self.changes, self.epoch = [], 0.0
        self._set(*_built(self.start, self.edits))

    def _set(self, prepared: Prepared, trainer: Trainer) -> None:
        self.prepared, self.trainer = prepared, trainer
        self.trouble = ""
        self._warned = False
        self._good_epoch = self.epoch

    def _judge(self) -> None:
        trainer, self.trouble = self.trainer, ""
        cause = trainer.check_divergence()
        if cause is None:
            trainer.last_good, self._warned = trainer.snapshot(), False
            self._good_epoch = self.epoch
        elif cause == "not_finite":
            words = describe_divergence(self.prepared.config, find_divergence(trainer, cause))
            trainer.restore(trainer.last_good)
            self.epoch = self._good_epoch
            self.trouble = (
                f"{words[0].upper()}{words[1:]}. The network is back at iteration "
                f"{self.iteration:,}; lower the learning rate, or reset."
            )
        elif not self._warned:  # said once: the reader may want to see how it goes on
            self._warned, self.trouble = True, _WORSE


def shown(value: object) -> str:
    """The value of a setting in a sentence."""
    if value is None:
        return "as in the config"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "no hidden layer"
    return f"{value:,}" if isinstance(value, int) else f"{value}"


_WORSE = (
    f"The loss is {LOSS_FACTOR:.0f} times what it was at the start, or weights are beyond any "
    "useful range: a run that ends here counts as diverged. Lower the learning rate, or reset."
)


def _built(start: Start, edits: Edits) -> tuple[Prepared, Trainer]:
    """The run, prepared and checked as any other, and its trainer.

    Raises: NnrunError if it cannot be trained, or is too large for a page.
    """
    prepared = prepare(experiment_of(edited(start, edits)), start.load)
    if isinstance(prepared, PreparedBeside):
        raise UsageError("models of scikit-learn have no updates to watch")
    _refuse_large(prepared)
    return prepared, Execution(prepared).trainer


def _refuse_large(prepared: Prepared) -> None:
    rows = len(prepared.split.train) + sum(map(len, prepared.split.held_out.values()))
    network = prepared.network
    if not prepared.dataset.layout.is_drawn:
        raise UsageError("a playground needs rows of one or two numbers, as the data have them")
    for count, most, what in (
        (network.size, MOST_PARAMETERS, "parameters"),
        (rows, MOST_ROWS, "rows"),
        (len(network.blocks), MOST_BLOCKS, "layers"),
    ):
        if count > most:
            raise UsageError(f"the playground takes at most {most:,} {what}; these are {count:,}")


_AT_LEAST = 1000  # iterations of a config where none have been made


def config_text(session: Session) -> str:
    """YAML that trains the network as far as the page has; comments say if it had other settings.

    Without changes on the way, training has the losses of the page, bit for bit.
    """
    config = session.config
    iterations = session.iteration or _AT_LEAST
    config["training"] = {**config["training"], "iterations": iterations}
    return "".join(f"# {line}\n" for line in _comments(session)) + dump(config)


def _comments(session: Session) -> Iterator[str]:
    yield f"From the playground of nnrun ui: {session.start.title}."
    if not session.iteration:
        yield "Nothing has been trained there yet; change the iterations as you like."
        return
    if session.changes:
        yield "These are its last settings. Some were others before, so that training from the"
        yield f"start does not give the network of its iteration {session.iteration:,}:"
        yield from (f"  {change}" for change in session.changes)
        return
    row = session.evaluate()
    losses = ((name, value) for name, value in row.items() if name.endswith("_loss"))
    words = ", ".join(f"{n.replace('_', ' ')} {v!r}" for n, v in losses if isfinite(v))
    yield f"Training it gives what the page shows at iteration {session.iteration:,}: {words}"
