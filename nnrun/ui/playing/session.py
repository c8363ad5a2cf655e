"""One network in training, in memory, in small steps; for one page of a browser."""

from __future__ import annotations

from base64 import b64encode
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from secrets import token_urlsafe
from threading import Lock
from time import monotonic, perf_counter
from typing import Any

import numpy as np

from nnrun.config.yaml_scalars import dump
from nnrun.data.split_rows import SplitData
from nnrun.errors import UsageError
from nnrun.explain.surfaces import Extent, Surfaces, extent_of, surfaces
from nnrun.nn.signature import Array
from nnrun.runs.diagnosis import describe_divergence
from nnrun.runs.execution.descriptions import run_arithmetic
from nnrun.runs.execution.execute import Execution
from nnrun.runs.preparation.prepare import PreparedBeside, prepare
from nnrun.runs.preparation.prepared import Prepared
from nnrun.training.moment import find_divergence
from nnrun.training.state import HistoryRow
from nnrun.training.stopping import LOSS_FACTOR
from nnrun.training.trainer import Trainer
from nnrun.ui.playing.start import (
    MOST_UNITS,
    WORDS,
    Edits,
    Plain,
    Start,
    carry,
    edited,
    experiment_of,
    fixed,
    fresh_words,
    values_of,
)

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
        words = "; ".join(f"{WORDS[name]} {shown(now[name])}" for name in changed)
        if begins:
            return f"Training begins with {words}." if changed else ""
        at = f"iteration {old.iteration:,}"
        for name in changed:
            was, new = shown(before[name]), shown(now[name])
            self.changes.append(f"{at}: {WORDS[name]} {was} -> {new}")
        return f"From {at} on: {words}. {fresh_words(fresh)}" if changed else ""

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


# What a page draws of a session: pictures as numbers, weights, losses, points.

Content = dict[str, Any]
"""Plain values that JSON can hold."""

_SIDE = 48  # of the picture of an output; those of units have half as many points
_LINE = 121  # the points of a curve
_MOST_POINTS = 1000
_ROOM = 0.1  # above and below the targets of a curve, as a share of their range


def frame_of(session: Session) -> Content:
    """What changes with every update: losses, pictures and weights."""
    extent, low, high = _plane(session)
    shape = session.prepared.network
    side = _SIDE if len(extent) == 4 else _LINE
    with session.trainer.averaged():
        drawn = surfaces(session.prepared, extent, side)
    with np.errstate(all="ignore"):
        outputs = _outputs(session, drawn, low, high)
    last = str(len(shape.blocks) - 1)
    return {
        "iteration": session.iteration,
        "epoch": session.epoch,
        "losses": {k: v if isfinite(v) else None for k, v in session.evaluate().items()},
        "trouble": session.trouble,
        "outputs": [_encoded(picture) for picture in outputs],
        "output": _numbers(session, last),
        "layers": [
            {"units": [_unit(values) for values in layer.units[:MOST_UNITS]],
             **_numbers(session, layer.place)}
            for layer in drawn.layers
        ],
    }  # fmt: skip


def form_of(session: Session) -> Content:
    """What stays as long as no setting changes: layers, points, the values of settings."""
    prepared, (extent, low, high) = session.prepared, _plane(session)
    dataset, split = prepared.dataset, prepared.split
    names = dataset.feature_names or [f"x{n + 1}" for n in range(dataset.shape[0])]
    drawn = surfaces(prepared, extent, 2)
    parts = {"train": split.train, **split.held_out}
    return {
        "title": session.start.title,
        "drawn": session.start.drawn,
        "features": [*names],
        "target": ", ".join(dataset.target_names) or "output",
        "classes": [*map(str, dataset.classes)],
        "extent": [*extent],
        "range": [low, high],
        "layers": [
            {"place": layer.place, "kind": layer.kind, "units": len(layer.units)}
            for layer in drawn.layers
        ],
        "outputs": prepared.network.output_shape[0],
        "points": {name: _points(part) for name, part in parts.items()},
        "rows": {name: len(part) for name, part in parts.items()},
        "parameters": prepared.network.size,
        "values": session.values,
        "fixed": fixed(session.start),
        "notes": [*session.start.notes],
        "most_units": MOST_UNITS,
    }


def _plane(session: Session) -> tuple[Extent, float, float]:
    """The extent of the pictures, and the range of the outputs, with room around a curve."""
    split = session.prepared.split
    parts = [split.train, *split.held_out.values()]
    extent = extent_of(np.concatenate([_raw(part) for part in parts]))
    low, high = 0.0, 1.0
    if not session.prepared.dataset.classes:
        y = np.concatenate([np.ravel(part.y) for part in parts]).astype(np.float64)
        low, high = float(y.min()), float(y.max())
    room = (high - low) * _ROOM if len(extent) == 2 else 0.0
    return extent, low - room, high + room


def _raw(part: SplitData) -> Array:
    return np.asarray(part.raw.between(0, len(part)), np.float64).reshape(len(part), -1)


def _outputs(session: Session, drawn: Surfaces, low: float, high: float) -> Sequence[Array]:
    """A picture for each output unit, from -1 to 1, the middle of the range at 0."""
    units = session.prepared.network.output_shape[0]  # one stands for the second of two classes
    middle, half = (low + high) / 2, (high - low) / 2 or 1.0
    return [(values - middle) / half for values in drawn.outputs[-units:]]


def _unit(values: Array) -> Content:
    """The picture of a hidden unit, with its range; its largest value, or its least, is the end."""
    coarse = values[::2, ::2] if values.ndim == 2 else values
    low, high = float(values.min()), float(values.max())
    largest = max(abs(low), abs(high)) or 1.0
    return {
        "low": low if isfinite(low) else None,
        "high": high if isfinite(high) else None,
        "picture": _encoded(coarse / largest),
    }


def _encoded(values: Array) -> str:
    """Values from -1 to 1 as bytes from 0 to 254, the top row first."""
    finite = np.nan_to_num(values[::-1] if values.ndim == 2 else values, nan=0.0)
    levels = np.rint(127 + 127 * np.clip(finite, -1, 1)).astype(np.uint8)
    return b64encode(levels.tobytes()).decode()


def _numbers(session: Session, place: str) -> Content:
    """The weights (units, inputs) and biases of a dense layer's first units."""
    parameters, numbers = session.prepared.network.parameters, {}
    if (weight := parameters.get(f"{place}.weight")) is not None and len(weight.shape) == 2:
        numbers["weights"] = weight.value[:, :MOST_UNITS].T.tolist()
    if (bias := parameters.get(f"{place}.bias")) is not None and len(bias.shape) == 1:
        numbers["biases"] = bias.value[:MOST_UNITS].tolist()
    return numbers


def _points(part: SplitData) -> list[list[float]]:
    """Rows, evenly taken from many, each with its class or value at the end."""
    step = -(-len(part) // _MOST_POINTS)
    rows = np.column_stack([_raw(part), part.y.reshape(len(part), -1)[:, 0]])[::step]
    return [[float(f"{value:.5g}") for value in row] for row in rows.tolist()]


# The sessions of a server: few, and only while their pages are open.

MOST = 8
IDLE_SECONDS = 300.0
"""A page asks at least every minute; a session that nobody asks for so long is dropped."""


class LostError(UsageError):
    """The session is there no more."""


class Sessions:
    """Sessions by their keys, which no other page knows; of too many the one idle longest goes.

    `clock` tells the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._known: OrderedDict[str, tuple[float, Session]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def add(self, session: Session) -> str:
        """Keep a session; returns its key."""
        key = token_urlsafe(12)
        self.drop_idle()
        with self._lock:
            self._known[key] = self._clock(), session
            while len(self._known) > MOST:
                self._known.popitem(last=False)
        return key

    def find(self, key: object) -> Session:
        """The session of this key.

        Raises: LostError if there is none.
        """
        self.drop_idle()
        with self._lock:
            if not isinstance(key, str) or key not in self._known:
                raise LostError("this playground is gone, after a long pause or a restart")
            session = self._known[key][1]
            self._known[key] = self._clock(), session
            self._known.move_to_end(key)
            return session

    def close(self, key: object) -> None:
        """Drop a session whose page is closed."""
        with self._lock:
            if isinstance(key, str):
                self._known.pop(key, None)

    def drop_idle(self) -> None:
        """Drop sessions that no page has asked for lately."""
        oldest = self._clock() - IDLE_SECONDS
        with self._lock:
            for key in [key for key, (asked, _) in self._known.items() if asked < oldest]:
                del self._known[key]
