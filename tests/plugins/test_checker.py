"""The checker names the mistakes of wrong parts, and finds none in right ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun import nn
from nnrun.nn import (
    ACTIVATIONS,
    INITIALIZERS,
    LAYERS,
    LOSSES,
    OPTIMIZERS,
    SCHEDULES,
    SGD,
    Adam,
    Layer,
    MeanSquared,
    Optimizer,
)
from nnrun.nn.schedules import Schedule
from nnrun.nn.signature import Fraction, PositiveInt
from nnrun.plugins.checker.check import ALWAYS, check_part
from nnrun.plugins.part import Part, Source
from tests.plugins.right import RIGHT, Dense
from tests.plugins.wrong import WRONG, Wrong

SOURCE = Source("mine.py", "0" * 64, "/mine.py")
TABLES = (LAYERS, ACTIVATIONS, LOSSES, OPTIMIZERS, INITIALIZERS, SCHEDULES)
OWN = [(table.kind, name, table[name]) for table in TABLES for name in sorted(table.own)]


def part_of(kind: str, entry: Any, name: str = "mine") -> Part:
    return Part(kind, name, entry, SOURCE, "mine.py:1")


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.part.__name__)
def test_a_wrong_part_fails_one_check_whose_message_names_the_mistake(case: Wrong) -> None:
    """Nothing else is reported, and the other checks of its kind are there."""
    report = check_part(part_of(case.kind, case.part))
    assert [(case.check, case.says)] == [(one.check, one.says) for one in report.wrong]
    assert set(ALWAYS[case.kind]) <= {finding.check for finding in report.findings}


def test_there_are_forty_wrong_layers_at_least() -> None:
    """Activations are layers; losses come on top."""
    layers = [case for case in WRONG if case.kind != "loss"]
    assert (True, 8) == (len(layers) >= 40, len(WRONG) - len(layers))


@pytest.mark.parametrize(
    ("kind", "entry"), [(k, e) for k, parts in RIGHT.items() for e in parts], ids=str
)
def test_a_right_part_passes(kind: str, entry: Any) -> None:
    """Those that the wrong ones are derived from."""
    assert [] == check_part(part_of(kind, entry)).wrong


@pytest.mark.parametrize(("kind", "name", "entry"), OWN, ids=lambda value: str(value)[:20])
def test_every_part_of_nnrun_passes(kind: str, name: str, entry: Any) -> None:
    """No false alarm; and each is beside itself as its reference."""
    report = check_part(part_of(kind, entry, f"my_{name}"))
    assert [] == report.wrong
    assert f"beside {name}" in {finding.check for finding in report.findings}


@pytest.mark.parametrize(
    ("kind", "wrong", "name", "says"),
    [
        ("activation", "sigmoid", "tanh", "y is not that of tanh"),
        ("loss", "mean_absolute", "mean_squared", "its values are not those of mean_squared"),
        ("schedule", "cosine", "step", "its numbers are not those of step"),
        (
            "initializer",
            "he_normal",
            "lecun_normal",
            "its numbers are not those of lecun_normal: all are 1.41421 times the right ones",
        ),
    ],
)
def test_the_numbers_are_compared_with_the_part_of_the_same_name(
    kind: str, wrong: str, name: str, says: str
) -> None:
    """A part that is consistent, and another one than its name says."""
    table = next(table for table in TABLES if table.kind == kind)
    (found,) = check_part(part_of(kind, table[wrong], f"my_{name}")).wrong
    assert (f"beside {name}", says) == (found.check, found.says)


class AnotherDefault(nn.Dropout):
    """As that of nnrun, with another default."""

    def __init__(self, rate: Fraction = 0.25) -> None:
        super().__init__(rate)


def dense_with_default(units: PositiveInt = 4) -> list[Layer]:
    """As that of nnrun, whose `units` has no default."""
    return nn.dense(units)


@pytest.mark.parametrize(
    ("name", "entry"), [("dropout", AnotherDefault), ("dense", dense_with_default)]
)
def test_a_part_may_have_other_defaults_than_that_of_the_same_name(name: str, entry: Any) -> None:
    """Both are made with the values of the part that is checked."""
    found = {one.check: one for one in check_part(part_of("layer", entry, f"my_{name}")).findings}
    assert (True, f"y is that of nnrun's {name}") == (
        found[f"beside {name}"].passed,
        found[f"beside {name}"].says,
    )


class ForVectors(Dense):
    """A layer that does not say so."""

    input_kind = None


def test_a_layer_that_fails_on_images_alone_is_advised_to_refuse_them() -> None:
    """The message names the attribute; the error alone does not say that rows were images."""
    (found,) = check_part(part_of("layer", ForVectors)).wrong
    assert ("forward", True) == (found.check, found.says.startswith("of images, ValueError: "))
    assert found.says.endswith('; a layer for vectors alone has input_kind = "vectors"')


# Mistakes in parts that are no layers, activations or losses.

SOURCE = Source("mine.py", "0" * 64, "/mine.py")
CALLS = iter(range(10**6))


class Uphill(SGD):
    """The sign of the step is wrong."""

    def step(self, theta, g, learning_rate):
        theta += learning_rate * g


class Renamed(Optimizer):
    """θ is another array afterwards."""

    def step(self, theta, g, learning_rate):
        theta = theta - learning_rate * g


class Hidden(Optimizer):
    """Its velocity is not in `state`."""

    velocity: Any = 0.0

    def step(self, theta, g, learning_rate):
        self.velocity = 0.9 * self.velocity + g
        theta -= learning_rate * self.velocity


class Wider(Optimizer):
    """Numbers of float32 overflow."""

    def step(self, theta, g, learning_rate):
        theta -= learning_rate * g * (np.float32(np.inf) if g.dtype == np.float32 else 1)


class Slow(Adam):
    """Not Adam's numbers."""

    def step(self, theta, g, learning_rate):
        super().step(theta, g, learning_rate / 2)


def by_global(shape, fans, *, rng):
    return np.random.random(shape)  # noqa: NPY002  # that is the mistake


def transposed(shape, fans, *, rng):
    return rng.normal(size=shape[::-1])


class Counting(Schedule):
    """The rate depends on the calls before."""

    def rates(self, t, total):
        return np.full(len(t), 1 / (1 + next(CALLS)))


class One(Schedule):
    """A number for all iterations."""

    def rates(self, t, total):
        return 0.1


class Falling(Schedule):
    """Below zero at the end."""

    def rates(self, t, total):
        return 0.1 - 0.2 * t / total


class OfBatch:
    """Statistics of the rows that are prepared."""

    name = "of_batch"

    def fit(self, rows):
        pass

    def apply(self, x):
        return x - x.mean(axis=0)

    def state(self):
        return {}


class Forgetful(OfBatch):
    """The state lacks what fit computes."""

    name = "forgetful"

    def __init__(self, shift=0.0):
        self.shift = shift

    def fit(self, rows):
        self.shift = 2.5

    def apply(self, x):
        return x - self.shift


class Overwriting(OfBatch):
    """Rows are changed in place."""

    name = "overwriting"

    def apply(self, x):
        x -= 1.5
        return x


class Arrays(Forgetful):
    """The state is an array."""

    name = "arrays"

    def state(self):
        return {"shift": np.ones(4)}


class FromZero(Schedule):
    """Infinite at first."""

    def rates(self, t, total):
        return 0.1 / t


def fixed(shape, fans, *, rng):
    return np.random.default_rng(0).normal(size=shape)


def nothing(y, predicted):
    float(np.mean(y))


class Counted(MeanSquared):
    """Larger with each call."""

    calls = 0

    def value(self, y, target):
        self.calls += 1
        return self.calls * super().value(y, target)


def pair(y, predicted):
    return y - predicted


def right_answers(y, predicted):
    return -float(np.mean((y - predicted) ** 2))


def in_order(y, predicted):
    return float(abs(y[0] - predicted[0])[0])


def another_each_time():
    return np.random.default_rng().normal(size=(20, 2)), np.arange(20) % 2


def uneven():
    return np.zeros((20, 2)), np.zeros(19)


UPHILL = "it steps uphill: the sign of the step"
OTHERS = [
    ("optimizer", Uphill, "descends", UPHILL),
    ("optimizer", Renamed, "step", "step leaves θ as it was; change it in place, as in theta -= …"),
    (
        "optimizer",
        Hidden,
        "state",
        "what it keeps is not in self.state, so that an interrupted run would go on otherwise",
    ),
    ("optimizer", Wider, "float32", "θ is not float32 any more"),
    ("initializer", by_global, "rng", "the same rng gives other values; draw from rng alone, not "
     "from np.random"),
    ("initializer", transposed, "values", "they have the shape (30, 40), and not (40, 30)"),
    ("schedule", Counting, "alone", "the rate of an iteration depends on those that were asked for "
     "before"),
    ("schedule", One, "rates", "rates gives () for 100 iterations, and not (100,)"),
    ("schedule", Falling, "rates", "some are negative or not finite"),
    ("step", OfBatch, "rows", "a row gives another result alone: statistics belong into fit"),
    ("schedule", FromZero, "rates", "some are negative or not finite"),
    ("step", Overwriting, "apply", "apply overwrites x; it returns a new array"),
    ("step", Arrays, "state", "state holds numbers, texts and lists of them; write array.tolist()"),
    ("loss", Counted, "value", "a second call gives another: state is carried over"),
    ("metric", nothing, "value", "it is None, and not one finite number"),
    ("step", Forgetful, "state", "made from its state it gives another result; state names all "
     "that fit computes"),
    ("metric", right_answers, "direction", "perfect predictions are no better than others, and "
     "smaller is said to be better; larger_is_better says which"),
    ("metric", in_order, "order", "the order of the rows changes it"),
    ("dataset", another_each_time, "same again", "a second call gives other data; draw from a seed "
     "among the arguments"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "entry", "check", "says"), OTHERS, ids=lambda value: getattr(value, "__name__", "")
)
def test_the_mistake_is_named(kind: str, entry: Any, check: str, says: str) -> None:
    """And is the only one."""
    report = check_part(Part(kind, "mine", entry, SOURCE, "mine.py:1"))
    assert [(check, says)] == [(one.check, one.says) for one in report.wrong]


def test_an_initializer_that_ignores_its_rng_is_noticed() -> None:
    """It is no mistake in itself, as of zeros; but seeds are without effect then."""
    report = check_part(Part("initializer", "mine", fixed, SOURCE, "mine.py:1"))
    assert "it draws from rng alone; all rngs give the same" == report.findings[1].says


@pytest.mark.parametrize(
    ("kind", "entry", "says"),
    [
        ("metric", pair, "and not one finite number"),
        ("dataset", uneven, "x is (20, 2) and y (19,); x has a row for each of y"),
    ],
)
def test_what_cannot_be_used_says_why(kind: str, entry: Any, says: str) -> None:
    """With the shapes, or the value."""
    (found,) = check_part(Part(kind, "mine", entry, SOURCE, "mine.py:1")).wrong
    assert says in found.says


def test_an_optimizer_is_compared_with_the_one_of_its_name() -> None:
    """After three steps."""
    (found,) = check_part(Part("optimizer", "my_adam", Slow, SOURCE, "mine.py:1")).wrong
    assert ("beside adam", "its numbers are not those of adam") == (found.check, found.says)


# `nnrun check FILE.py`, `--points`, and `nnrun init --layer`, as a student uses them.

SOLUTION = """\
        self.g.grad[...] = (dy * self.x / (1 + np.abs(self.x))).sum(axis=0)
        return dy * self.g.value / (1 + np.abs(self.x)) ** 2
"""
UNWRITTEN = "        raise NotImplementedError\n"


@pytest.fixture
def started(folder, lab) -> Path:
    """The layer that `nnrun init --layer` writes."""
    done = lab("init", "--layer", "mylayer.py")
    assert (0, "") == (done.code, done.out), done.said
    return Path("mylayer.py")


def test_the_start_of_a_layer_lacks_its_gradient_alone(started, lab) -> None:
    """Written, it passes all checks, and trains."""
    done = lab("check", "mylayer.py")
    assert 3 == done.code
    assert "error: mylayer.py:16: mylayer: backward: it is not written yet" in done.err
    Path("own.yaml").write_text(
        "dataset: {name: iris}\nloss: cross_entropy\n"
        "training: {learning_rate: 0.1, iterations: 5}\n"
        "network: {layers: [{type: mylayer}, {type: dense, units: 3, activation: softmax}]}\n"
    )
    done = lab("train", "own.yaml", "--plugin", "mylayer.py")
    assert "error: mylayer.py:50: it is not written yet" in done.err
    text = started.read_text()
    assert 1 == text.count(UNWRITTEN)
    started.write_text(text.replace(UNWRITTEN, SOLUTION))
    done = lab("check", "mylayer.py")
    assert (0, "") == (done.code, done.err)
    assert "10 of 10 checks passed" in done.out
    lab.ok("train", "own.yaml", "--plugin", "mylayer.py")


def test_points_are_for_a_grader(started, lab) -> None:
    """One for each check; those that a mistake leaves without sense count as missed."""
    found = []
    mistaken = SOLUTION.replace(".sum(", ".mean(")
    for body in (UNWRITTEN, mistaken, SOLUTION):
        Path("graded.py").write_text(started.read_text().replace(UNWRITTEN, body))
        done = lab("check", "graded.py", "--points")
        said = done.json
        found.append((done.code, said["points"], said["of"]))
    assert [(3, 2, 10), (3, 9, 10), (0, 10, 10)] == found
    wrong = [check for check in said["parts"][0]["checks"] if not check["passed"]]
    assert ([], "mylayer") == (wrong, said["parts"][0]["name"])


def test_a_part_of_nnruns_own_name_is_checked_and_not_trained(folder, lab, write) -> None:
    """It is compared with nnrun's."""
    write(
        "@register('activation', 'tanh')\nclass Tanh(Activation):\n"
        "    def value(self, x, y):\n        np.sinh(x, out=y)\n"
        "    def gradient(self, dy, x, y, dx):\n        np.multiply(dy, np.cosh(x), out=dx)\n"
    )
    done = lab("check", "mine.py")
    assert (3, True) == (done.code, "beside tanh: y is not that of tanh" in done.err)
    assert "the name is one of nnrun's own, under which it cannot be trained" in done.out
    assert "'tanh' is a name of nnrun's own" in lab.refused(
        "check", "all.yaml", "--plugin", "mine.py"
    )


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("dense", "mine.py:4: 'dense' is a name of nnrun's own (a layer)"),
        ("twin", "mine.py:7: 'twin' is registered at mine.py:4 already"),
    ],
)
def test_a_name_that_could_not_be_registered_is_refused(folder, lab, write, name, says) -> None:
    """As `--plugin` refuses it: one of another kind, or one that the file has twice."""
    write(
        f"@register('metric', '{name}', needs='values')\ndef own(true, predicted):\n"
        f"    return 0.0\n"
        f"@register('loss', 'twin')\nclass Other(Loss): ...\n"
    )
    for words in (("check", "mine.py"), ("check", "all.yaml", "--plugin", "mine.py")):
        assert says in lab.refused(*words)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("check", "parts.py", "all.yaml"), "parts.py is a plugin file and all.yaml a config"),
        (("check", "none.py"), "none.py does not exist"),
        (("init", "--layer", "parts.py"), "parts.py: exists already, and nothing is overwritten"),
        (("init", "--layer", "mine"), "a layer is written in a Python file, like mylayer.py"),
        (("init", "mine", "--layer", "mine.py"), "--layer writes a layer and no config"),
    ],
)
def test_what_cannot_be_done_is_said(folder, lab, words, says) -> None:
    """And nothing is written."""
    before = sorted(folder.iterdir())
    done = lab(*words)
    assert (2, True, before) == (done.code, says in done.err, sorted(folder.iterdir()))


def test_a_gradient_that_is_another_on_purpose_is_not_compared(folder, lab, write) -> None:
    """A straight-through estimator says so."""
    code = (
        "@register('activation', 'steps')\nclass Steps(Activation):\n    exact_gradient = False\n"
        "    def value(self, x, y):\n        np.round(x, out=y)\n"
        "    def gradient(self, dy, x, y, dx):\n        dx[...] = dy\n"
    )
    for text, exit_code in ((code, 0), (code.replace("    exact_gradient = False\n", ""), 3)):
        write(text)
        assert exit_code == lab("check", "mine.py").code


def test_a_part_that_exits_is_an_error_of_its_line(folder, lab, write) -> None:
    """Neither a check nor a training ends in silence."""
    code = "import sys\n@register('activation', 'quits')\nclass Quits(Activation):\n"
    write(f"{code}    def value(self, x, y):\n        sys.exit(0)\n")
    checked = lab("check", "mine.py")
    Path("q.yaml").write_text(
        "dataset: {name: iris}\nnetwork: {sizes: [3], activations: [quits]}\n"
        "loss: mean_squared\ntraining: {learning_rate: 0.1, iterations: 3}\n"
    )
    trained = lab("train", "q.yaml", "--plugin", "mine.py")
    assert (3, 1) == (checked.code, trained.code), trained.said
    assert all("SystemExit: 0" in done.err for done in (checked, trained))
